import Formats
import Tensors

/// A tensor as a checkpoint keeps it: one parameter, turned round where the family stores matrices the other way, or the experts
/// of a layer in one.
struct StoredTensor {
    let name: String
    /// In the file.
    let shape: [Int]
    /// One after the other in the file.
    let parts: [Parameter]
    let isTransposed: Bool

    var dtype: DType { parts.first?.dtype ?? .float32 }

    func bytes(_ type: DType?) -> Int64 { Int64(shape.reduce(1, *)) * Int64((type ?? dtype).byteCount) }

    /// - Parameter contents: gives a part's values in the type asked for.
    func assembled(dtype: DType, contents: (Parameter) -> Tensor?) -> Tensor? {
        if parts.count == 1, let part = parts.first, let tensor = contents(part) { return isTransposed ? tensor.transposed() : tensor }
        let result = Tensor.zeros(shape, dtype)
        var place = 0
        for part in parts {
            guard let tensor = contents(part), place + tensor.byteCount <= result.byteCount else { return nil }
            result.address.advanced(by: place).copyMemory(from: tensor.address, byteCount: tensor.byteCount)
            place += tensor.byteCount
        }
        return result
    }
}

extension CheckpointWriter {
    /// The tensors of the written files, in the order in which data flows through them.
    func storedTensors() -> [StoredTensor] {
        let names = model.names
        let fused = model.folder.storesExpertsFused ? names.fused : nil
        var tensors: [StoredTensor] = [], places: [String: Int] = [:]
        for (weight, parameter) in zip(model.spec.weights(names: names), model.parameters) {
            guard let fused, let name = fused.name(of: weight) else {
                tensors.append(
                    StoredTensor(name: weight.name, shape: weight.storedShape, parts: [parameter], isTransposed: weight.isStoredTransposed))
                continue
            }
            let earlier = places[name].map { tensors[$0] }
            let shape = fused.shape(of: weight, in: model.spec)
            let tensor = StoredTensor(name: name, shape: shape, parts: (earlier?.parts ?? []) + [parameter], isTransposed: false)
            if let place = places[name] {
                tensors[place] = tensor
            } else {
                places[name] = tensors.count
                tensors.append(tensor)
            }
        }
        if options.mergesAdapter, let head = model.separatedHead {
            tensors.append(StoredTensor(name: head.name, shape: head.shape, parts: [head], isTransposed: false))
        }
        return tensors
    }
}

extension FusedExpertNames {
    /// The tensor in which transformers 5 keeps a weight; nil for those that it keeps apart.
    func name(of weight: WeightDescription) -> String? {
        switch weight.role {
        case .router: router(layer: weight.layer)
        case .expertGate, .expertUp: gateUp(layer: weight.layer)
        case .expertDown: down(layer: weight.layer)
        case _: nil
        }
    }

    func shape(of weight: WeightDescription, in spec: ArchitectureSpec) -> [Int] {
        let experts = spec.mixture?.expertCount ?? 0
        switch weight.role {
        case .expertGate, .expertUp: return [experts, 2 * weight.shape[0], weight.shape[1]]
        case .expertDown: return [experts] + weight.shape
        case _: return weight.shape
        }
    }
}

extension CheckpointReader {
    /// Gives every expert of transformers 5's fused tensors a name of its own; the bytes stay where they are.
    /// - Returns: whether the checkpoint keeps experts so.
    func separateExperts(_ spec: ArchitectureSpec, names: WeightNames) throws(ModelError) -> Bool {
        guard let mixture = spec.mixture, let fused = names.fused else { return false }
        var found = false
        for weight in spec.weights(names: names) {
            guard let name = fused.name(of: weight), tensors[weight.name] == nil, let location = tensors[name] else { continue }
            let shape = fused.shape(of: weight, in: spec)
            guard location.entry.shape == shape else {
                throw .wrongShape(file: location.path, tensor: name, expected: shape, found: location.entry.shape)
            }
            found = true
            let bytes = weight.count * location.entry.dtype.byteCount
            let place: Int
            switch weight.role {
            case .expertGate: place = 2 * weight.expert
            case .expertUp: place = 2 * weight.expert + 1
            case _: place = weight.expert
            }
            let own = place * bytes..<(place + 1) * bytes, start = location.entry.byteRange.lowerBound
            add(
                Location(
                    owner: location.owner, mapping: location.mapping, bytes: UnsafeRawBufferPointer(rebasing: location.bytes[own]),
                    path: location.path,
                    entry: TensorEntry(
                        name: weight.name, dtype: location.entry.dtype, shape: weight.shape,
                        byteRange: start + own.lowerBound..<start + own.upperBound)))
        }
        for layer in mixture.layers where found {
            for name in [fused.gateUp(layer: layer), fused.down(layer: layer)] { remove(name) }
            if fused.router(layer: layer) != names.module(.router, layer: layer) + ".weight" { remove(fused.router(layer: layer)) }
        }
        return found
    }
}
