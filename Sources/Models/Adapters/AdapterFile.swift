import Formats
import Platform
import Tensors

/// A PEFT adapter folder: `adapter_config.json` and `adapter_model.safetensors`, in both directions.
public enum AdapterFile {
    public static let configurationName = "adapter_config.json"
    public static let weightsName = "adapter_model.safetensors"

    /// Whether a folder looks like an adapter.
    public static func isAdapter(_ directory: String) -> Bool { FileSystem.exists(Path.join(directory, configurationName)) }

    /// Reads the configuration only.
    public static func configuration(_ directory: String) throws(ModelError) -> AdapterConfiguration {
        let file = Path.join(directory, configurationName)
        guard FileSystem.exists(file) else {
            throw .unreadable(reason: "\(directory): this is not an adapter folder, there is no \(configurationName) in it.")
        }
        return try AdapterConfiguration(try ModelFolder.object(file), file: file)
    }

    /// Puts a saved adapter on the model, in the place of any that it carries. Every tensor is checked before the model changes.
    /// - Parameter isTrainable: whether A and B go on being trained; the base is frozen either way.
    @discardableResult
    public static func load(_ directory: String, into model: Transformer, isTrainable: Bool = false) throws(ModelError) -> AdapterConfiguration {
        let configuration = try configuration(directory)
        let path = Path.join(directory, weightsName)
        let pairs = try readPairs(path, model: model, configuration: configuration)
        for linear in model.linears { linear.adapter = nil }
        for (linear, a, b) in pairs {
            let scale = configuration.scale(module: linear.name, rank: a.shape[0])
            let adapter = model.makeAdapter(on: linear, a: a, b: b, scale: scale, dropout: configuration.dropout)
            adapter.a.requiresGradient = isTrainable
            adapter.b.requiresGradient = isTrainable
            linear.adapter = adapter
        }
        for parameter in model.parameters { parameter.requiresGradient = false }
        model.adapterConfiguration = configuration
        return configuration
    }

    /// LLaMA-Factory's `adapter_name_or_path: a,b,c`: each is merged into the base before the next is put on. The last is left on
    /// the model as its adapter, so that it can be trained further or switched off, unless `mergesAll`.
    public static func load(
        _ directories: [String], into model: Transformer, isTrainable: Bool = false, mergesAll: Bool = false
    ) throws(ModelError) {
        for (index, directory) in directories.enumerated() {
            let isLast = index == directories.count - 1
            try load(directory, into: model, isTrainable: isTrainable && isLast && !mergesAll)
            if !isLast || mergesAll { model.mergeAdapter() }
        }
    }

    /// Writes the model's adapter as PEFT would. The folder is made; each file appears whole or not at all.
    public static func save(_ model: Transformer, to directory: String) throws(ModelError) {
        let adapted = model.linears.compactMap { linear in linear.adapter.map { (linear, $0) } }
        guard let configuration = model.adapterConfiguration, !adapted.isEmpty else {
            throw .cannotWrite(reason: "\(directory): there is no adapter on the model to save.")
        }
        let parameters = adapted.flatMap { [$0.1.a, $0.1.b] }.sorted { $0.name < $1.name }
        do {
            try FileSystem.createDirectory(directory)
            let weights = Path.join(directory, weightsName)
            try TensorFile.write(weights, tensors: parameters.map { ($0.name, $0.value) })
            try FileSystem.writeAtomically(Path.join(directory, configurationName), text: configuration.text())
        } catch {
            throw .cannotWrite(reason: String(describing: error))
        }
    }

    private static func readPairs(
        _ path: String, model: Transformer, configuration: AdapterConfiguration
    ) throws(ModelError) -> [(linear: Linear, a: Tensor, b: Tensor)] {
        let tensors = try TensorFile.read(path, as: .float32)
        var parts: [String: (a: Tensor?, b: Tensor?)] = [:]
        for (name, tensor) in tensors {
            guard let (module, isA) = module(of: name) else {
                throw .adapterMismatch(file: path, module: name, reason: "is no tensor of a LoRA adapter on linear layers")
            }
            if isA { parts[module, default: (nil, nil)].a = tensor } else { parts[module, default: (nil, nil)].b = tensor }
        }
        let known = Set(model.linears.map(\.name))
        if let stranger = parts.keys.filter({ !known.contains($0) }).min() {
            throw .adapterMismatch(file: path, module: stranger, reason: "is not among the base model's linear layers")
        }
        guard !parts.isEmpty else { throw .adapterMismatch(file: path, module: "the file", reason: "holds no LoRA tensors") }
        var pairs: [(linear: Linear, a: Tensor, b: Tensor)] = []
        for linear in model.linears {
            guard let part = parts[linear.name] else { continue }
            let prefix = AdapterNames.prefix + linear.name
            let rank = part.a?.shape.first ?? configuration.rank(module: linear.name)
            guard let a = part.a else {
                throw .missingTensor(file: path, tensor: prefix + AdapterNames.a, expected: [rank, linear.inputCount], also: 0)
            }
            guard let b = part.b else {
                throw .missingTensor(file: path, tensor: prefix + AdapterNames.b, expected: [linear.outputCount, rank], also: 0)
            }
            guard rank > 0, a.shape == [rank, linear.inputCount], b.shape == [linear.outputCount, rank] else {
                throw .adapterMismatch(
                    file: path, module: linear.name,
                    reason: "is [\(linear.outputCount), \(linear.inputCount)] in the base, but the adapter has A \(a.shape) and B \(b.shape)")
            }
            pairs.append((linear, a, b))
        }
        return pairs
    }

    /// The module of `base_model.model.<module>.lora_A.weight`, and whether it is A. The adapter's name may stand before `.weight`.
    private static func module(of tensor: String) -> (module: String, isA: Bool)? {
        var name = Substring(tensor)
        guard name.hasPrefix(AdapterNames.prefix), name.hasSuffix(".weight") else { return nil }
        name = name.dropFirst(AdapterNames.prefix.count).dropLast(".weight".count)
        if name.hasSuffix(".default") { name = name.dropLast(".default".count) }
        if name.hasSuffix(".lora_A") { return (String(name.dropLast(".lora_A".count)), true) }
        if name.hasSuffix(".lora_B") { return (String(name.dropLast(".lora_B".count)), false) }
        return nil
    }
}
