import Tensors

/// What an adapter's file holds, sorted by what it belongs to and checked against the model, before the model changes.
struct AdapterParts {
    struct LowRank {
        let linear: Linear
        let a, b: Tensor
        let magnitude: Tensor?
    }
    struct Table {
        let table: Parameter
        let module: String
        /// As the engine keeps it: [vocabulary, rank].
        let a: Tensor
        let b: Tensor
        let magnitude: Tensor?
    }
    struct Rotation {
        let linear: Linear
        let generators: Tensor
        let blockSize: Int
    }
    struct Value {
        let name: String
        let savedName: String
        let tensor: Tensor
        /// The base's own value that PEFT stored along, or replaced.
        let isBase: Bool
    }
    struct Rows {
        let table: Parameter
        let name: String
        let indices: [Int]
        let tensor: Tensor
    }

    private(set) var lowRank: [LowRank] = []
    private(set) var tables: [Table] = []
    private(set) var rotations: [Rotation] = []
    private(set) var values: [Value] = []
    private(set) var rows: [Rows] = []
    /// What PEFT would pass over as well, in sentences.
    private(set) var notes: [String] = []

    private let file: String
    private let model: Transformer
    private let configuration: AdapterConfiguration

    init(
        _ tensors: [(name: String, tensor: Tensor)], file: String, model: Transformer, configuration: AdapterConfiguration
    ) throws(ModelError) {
        self.file = file
        self.model = model
        self.configuration = configuration
        var modules: [String: [AdapterNames.Part: Tensor]] = [:]
        for (name, tensor) in tensors {
            guard let (place, part) = AdapterNames.part(of: name) else {
                throw .adapterMismatch(file: file, module: name, reason: "is no tensor of a PEFT adapter")
            }
            switch part {
            case .original: continue
            case .unknown: throw .adapterMismatch(file: file, module: name, reason: "is no tensor of a LoRA or OFT adapter")
            case .value(let isBase): try take(value: tensor, place, name, isBase: isBase)
            case .a, .b, .magnitude, .embeddingA, .embeddingB, .generators, .tokens: modules[place, default: [:]][part] = tensor
            }
        }
        guard !modules.isEmpty || !values.isEmpty else {
            throw .adapterMismatch(file: file, module: "the file", reason: "holds no adapter's tensors")
        }
        let linears = Dictionary(model.adaptableLinears.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        for (module, parts) in modules.sorted(by: { $0.key < $1.key }) {
            if let linear = linears[module] {
                try take(parts, linear)
            } else if let table = model.tables[module] {
                try take(parts, module, table)
            } else {
                throw .adapterMismatch(file: file, module: module, reason: "is not among the base model's linear layers and embeddings")
            }
        }
        passOverUntargeted()
    }

    // MARK: Linear layers

    private mutating func take(_ parts: [AdapterNames.Part: Tensor], _ linear: Linear) throws(ModelError) {
        if let generators = parts[.generators] { return try take(generators, linear) }
        try refuseLowRank(linear.name)
        guard parts[.embeddingA] == nil, parts[.embeddingB] == nil, parts[.tokens] == nil else {
            throw .adapterMismatch(file: file, module: linear.name, reason: "is a linear layer in the base, but an embedding in the adapter")
        }
        let rank = parts[.a]?.shape.first ?? configuration.rank(module: linear.name)
        let a = try needed(parts[.a], linear.name + AdapterNames.a, [rank, linear.inputCount])
        let b = try needed(parts[.b], linear.name + AdapterNames.b, [linear.outputCount, rank])
        let magnitude = try magnitude(parts, linear.name, linear.outputCount)
        guard rank > 0, a.shape == [rank, linear.inputCount], b.shape == [linear.outputCount, rank] else {
            throw .adapterMismatch(
                file: file, module: linear.name,
                reason: "is [\(linear.outputCount), \(linear.inputCount)] in the base, but the adapter has A \(a.shape) and B \(b.shape)")
        }
        lowRank.append(LowRank(linear: linear, a: a, b: b, magnitude: magnitude))
    }

    private func refuseLowRank(_ module: String) throws(ModelError) {
        guard case .rotation = configuration.method else { return }
        throw .adapterMismatch(file: file, module: module, reason: "has LoRA tensors, but adapter_config.json speaks of OFT")
    }

    private mutating func take(_ generators: Tensor, _ linear: Linear) throws(ModelError) {
        guard case .rotation(let settings) = configuration.method else {
            throw .adapterMismatch(file: file, module: linear.name, reason: "has OFT tensors, but adapter_config.json speaks of LoRA")
        }
        let size = settings.blockSize(inputs: linear.inputCount)
        let expected = [settings.rows(inputs: linear.inputCount), size * (size - 1) / 2]
        guard generators.shape == expected else {
            throw .adapterMismatch(
                file: file, module: linear.name,
                reason: "takes \(linear.inputCount) inputs in the base, which want generators \(expected), but the adapter has \(generators.shape)")
        }
        rotations.append(Rotation(linear: linear, generators: generators, blockSize: size))
    }

    private func magnitude(_ parts: [AdapterNames.Part: Tensor], _ module: String, _ count: Int) throws(ModelError) -> Tensor? {
        guard configuration.usesMagnitudes else { return nil }
        let found = try needed(parts[.magnitude], module + AdapterNames.magnitude, [count])
        guard found.count == count else {
            throw .adapterMismatch(
                file: file, module: module, reason: "has \(count) outputs in the base, but the adapter a magnitude of \(found.shape)")
        }
        return found.reshaped([count])
    }

    private func needed(_ tensor: Tensor?, _ name: String, _ shape: [Int]) throws(ModelError) -> Tensor {
        guard let tensor else { throw .missingTensor(file: file, tensor: AdapterNames.prefix + name, expected: shape, also: 0) }
        return tensor
    }

    // MARK: Embeddings

    private mutating func take(_ parts: [AdapterNames.Part: Tensor], _ module: String, _ table: Parameter) throws(ModelError) {
        if let tensor = parts[.tokens] { return try take(rows: tensor, module, table) }
        guard parts[.a] == nil, parts[.b] == nil, parts[.generators] == nil else {
            throw .adapterMismatch(file: file, module: module, reason: "is an embedding in the base, but a linear layer in the adapter")
        }
        let count = table.shape[0], width = table.shape[1]
        let rank = parts[.embeddingA]?.shape.first ?? configuration.rank(module: module)
        let a = try needed(parts[.embeddingA], module + AdapterNames.embeddingA, [rank, count])
        let b = try needed(parts[.embeddingB], module + AdapterNames.embeddingB, [width, rank])
        guard rank > 0, a.shape == [rank, count], b.shape == [width, rank] else {
            throw .adapterMismatch(
                file: file, module: module, reason: "is \(table.shape) in the base, but the adapter has A \(a.shape) and B \(b.shape)")
        }
        tables.append(Table(table: table, module: module, a: a.transposed(), b: b, magnitude: try magnitude(parts, module, width)))
    }

    private mutating func take(rows tensor: Tensor, _ module: String, _ table: Parameter) throws(ModelError) {
        let isInput = table === model.embedding
        guard let found = configuration.tokenRows.first(where: { $0.key.isEmpty ? isInput : AdapterTargets.ends(module, $0.key) }) else {
            throw .adapterMismatch(file: file, module: module, reason: "has trained rows, but adapter_config.json does not say which")
        }
        guard tensor.shape == [found.value.count, table.shape[1]], found.value.allSatisfy({ $0 < table.shape[0] }) else {
            throw .adapterMismatch(
                file: file, module: module,
                reason: "is \(table.shape) in the base; \(found.value.count) rows up to \(found.value.max() ?? 0) of shape \(tensor.shape) do not fit")
        }
        rows.append(Rows(table: table, name: AdapterNames.prefix + module + AdapterNames.tokens, indices: found.value, tensor: tensor))
    }

    // MARK: Weights of their own

    private mutating func take(value tensor: Tensor, _ name: String, _ savedName: String, isBase: Bool) throws(ModelError) {
        // A head that the configuration keeps tied comes along with its embedding.
        if configuration.keepsTie, model.spec.tiesEmbeddings, name == model.head.name + ".weight" { return }
        guard let parameter = model.baseParameter(name) else {
            throw .adapterMismatch(file: file, module: savedName, reason: "is none of the base model's weights")
        }
        let stored = model.storedShape(of: parameter)
        guard tensor.shape == stored else {
            throw .wrongShape(file: file, tensor: savedName, expected: stored, found: tensor.shape)
        }
        let value = stored == parameter.shape && !model.isStoredTransposed(parameter) ? tensor : tensor.transposed()
        // PEFT stores the table beneath an adapter on it, usually as the base has it.
        if isBase, parameter.value.floats() == value.floats() { return }
        values.append(Value(name: name, savedName: savedName, tensor: value, isBase: isBase))
    }

    // MARK: What PEFT passes over

    /// PEFT makes adapters where its configuration says and drops other tensors of the file.
    private mutating func passOverUntargeted() {
        if case .names(let names) = configuration.targets.modules, names.isEmpty { return }
        let head = model.head.name
        func isWanted(_ path: String, isLinear: Bool) -> Bool {
            configuration.targets.contains(path, isLinear: isLinear, isHead: path == head)
        }
        let passed =
            lowRank.map(\.linear.name).filter { !isWanted($0, isLinear: true) } + tables.map(\.module).filter { !isWanted($0, isLinear: false) }
            + rotations.map(\.linear.name).filter { !isWanted($0, isLinear: true) }
        guard let first = passed.first else { return }
        lowRank.removeAll { passed.contains($0.linear.name) }
        tables.removeAll { passed.contains($0.module) }
        rotations.removeAll { passed.contains($0.linear.name) }
        notes.append(
            "\(file) holds tensors for \(first)\(passed.count > 1 ? " and \(passed.count - 1) more modules" : ""), "
                + "which target_modules of its configuration does not name; they are left out, as PEFT does.")
    }
}
