import Platform
import Tensors

/// Adapters on the model. It carries at most one; further ones are merged into the base first.
extension Transformer {
    /// Every layer that an adapter may sit on: `linears` and the head.
    public var adaptableLinears: [Linear] { linears + [head] }

    /// Embedding tables by the paths of their modules.
    var tables: [String: Parameter] {
        var found = [names.module(.embedding): embedding]
        if let positionEmbedding { found[names.module(.positionEmbedding)] = positionEmbedding }
        return found
    }

    /// The names that `targets` may hold: the last part of each linear layer's path, in order of appearance.
    public var targetNames: [String] {
        var seen: [String] = []
        for linear in linears {
            let name = Self.lastPart(linear.name)
            if !seen.contains(name) { seen.append(name) }
        }
        return seen
    }

    /// Puts a fresh adapter on every targeted layer: A drawn as `kaiming_uniform(a = sqrt 5)` draws it, B zero, rotations none,
    /// so that nothing changes before the first step. The base is frozen, the adapter trained.
    /// - Returns: the linear layers that were given one.
    @discardableResult
    public func addLowRankAdapters(_ settings: AdapterSettings, random: inout RandomGenerator) throws(ModelError) -> [Linear] {
        let targets = try settings.chosenModules()
        let chosen = try targeted(targets)
        if case .rotation = settings.method { try checkRotations(chosen.tables.first?.module) }
        removeAdapter()
        let saved = try savedParameters(settings.savedModules)
        for parameter in parameters { parameter.requiresGradient = false }
        for linear in chosen.linears { putFresh(settings, on: linear, random: &random) }
        for (module, table) in chosen.tables { putFresh(settings, on: table, module, random: &random) }
        for parameter in saved { overlay(parameter, value: own(parameter.value), isTrainable: true) }
        var targetNames: [String] = []
        for name in (chosen.linears.map(\.name) + chosen.tables.map(\.module)).map(Self.lastPart) where !targetNames.contains(name) {
            targetNames.append(name)
        }
        if case .names(let given) = targets.modules, given.contains(where: { $0.contains(".") }) { targetNames = given }
        adapterConfiguration = AdapterConfiguration(
            settings, targets: targets, targetNames: targetNames.sorted(), baseModel: directory, storesTransposed: names.storesTransposed)
        if case .principal(let iterations) = settings.start {
            try splitPrincipalComponents(iterations: iterations, keepsAdapter: false)
        }
        return chosen.linears
    }

    /// Switches everything that the adapter brings on or off; off is the base model, with what was merged into it.
    public func setAdapter(enabled: Bool) {
        for linear in adaptableLinears {
            linear.adapter?.isEnabled = enabled
            linear.rotation?.isEnabled = enabled
        }
        for adapter in embeddingAdapters { adapter.isEnabled = enabled }
        for overlay in overlays { overlay.set(enabled: enabled) }
    }

    /// Whether there is an adapter and it takes part.
    public var isAdapterEnabled: Bool {
        adaptableLinears.contains { $0.adapter?.isEnabled == true || $0.rotation?.isEnabled == true }
            || embeddingAdapters.contains { $0.isEnabled } || overlays.contains { $0.isEnabled }
    }

    public var hasAdapter: Bool {
        adaptableLinears.contains { $0.adapter != nil || $0.rotation != nil } || !embeddingAdapters.isEmpty || !overlays.isEmpty
    }

    /// Takes the adapter off and forgets it.
    public func removeAdapter() {
        for linear in adaptableLinears {
            linear.adapter = nil
            linear.rotation = nil
        }
        embeddingAdapters = []
        for overlay in overlays {
            overlay.set(enabled: false)
            overlay.parameter.requiresGradient = false
        }
        overlays = []
        if ownHead != nil { head.weight = .dense(embedding) }
        ownHead = nil
        carriedTensors = []
        adapterConfiguration = nil
        adapterNotes = []
    }

    /// What adapters train beside overlaid weights, layer by layer.
    public var adapterParameters: [Parameter] {
        adaptableLinears.flatMap { linear in
            (linear.adapter?.parameters ?? []) + (linear.rotation.map { [$0.generators] } ?? [])
        } + embeddingAdapters.flatMap(\.parameters)
    }

    // MARK: Fresh parts

    private func putFresh(_ settings: AdapterSettings, on linear: Linear, random: inout RandomGenerator) {
        if case .rotation(let rotation) = settings.method {
            let size = rotation.blockSize(inputs: linear.inputCount)
            let generators = fresh([rotation.rows(inputs: linear.inputCount), size * (size - 1) / 2])
            linear.rotation = makeRotation(on: linear, generators: generators, blockSize: size, rotation)
            return
        }
        let bound = 1 / Double(linear.inputCount).squareRoot()
        let a = fresh([settings.rank, linear.inputCount]) { Float(random.uniform(-bound, bound)) }
        let adapter = makeAdapter(
            on: linear, a: a, b: fresh([linear.outputCount, settings.rank]), magnitude: settings.usesMagnitudes ? fresh([linear.outputCount]) : nil,
            scale: settings.scale, dropout: settings.dropout)
        // B is zero: the rows begin with the lengths that they have.
        if let magnitude = adapter.magnitude, !backend.isPlanning {
            backend.squaredRowNorms(linear.weight, into: magnitude.value)
            magnitude.value.write(magnitude.value.floats().map { $0.squareRoot() })
        }
        linear.adapter = adapter
    }

    /// PEFT's way with embeddings: A zero and B normal.
    private func putFresh(_ settings: AdapterSettings, on table: Parameter, _ module: String, random: inout RandomGenerator) {
        let a = fresh([table.shape[0], settings.rank])
        let b = fresh([table.shape[1], settings.rank]) { Float(random.normal()) }
        let adapter = makeAdapter(
            on: table, module, a: a, b: b, magnitude: settings.usesMagnitudes ? fresh([table.shape[1]]) : nil, scale: settings.scale)
        if let magnitude = adapter.magnitude, !backend.isPlanning {
            magnitude.value.write(adapter.inverseNorms(backend: backend).floats().map { $0 > 0 ? 1 / $0 : 0 })
        }
        embeddingAdapters.append(adapter)
    }

    /// Zeros; a shape alone where the model is only planned.
    private func fresh(_ shape: [Int]) -> Tensor {
        backend.isPlanning ? PlanningBackend.placeholder(shape, .float32) : Tensor.zeros(shape)
    }

    /// Values drawn one by one.
    private func fresh(_ shape: [Int], _ draw: () -> Float) -> Tensor {
        let tensor = fresh(shape)
        guard !backend.isPlanning else { return tensor }
        for index in 0..<tensor.count { tensor.floatPointer[index] = draw() }
        return tensor
    }

    /// A copy in f32 that may be trained.
    func own(_ value: Tensor) -> Tensor {
        backend.isPlanning ? PlanningBackend.placeholder(value.shape, .float32) : value.converted(to: .float32)
    }

    // MARK: Choosing

    private func targeted(_ targets: AdapterTargets) throws(ModelError) -> (linears: [Linear], tables: [(module: String, table: Parameter)]) {
        if case .names(let given) = targets.modules {
            let paths = adaptableLinears.map(\.name) + tables.keys
            for target in given where !paths.contains(where: { AdapterTargets.ends($0, target) }) {
                throw .unknownTarget(target: target, available: targetNames)
            }
        }
        let usual = Set(layers.flatMap(\.usualTargets).map(\.name))
        let linears = adaptableLinears.filter { targets.contains($0.name, isLinear: usual.contains($0.name), isHead: $0 === head) }
        let found = tables.sorted { $0.key < $1.key }.filter { targets.contains($0.key, isLinear: false, isHead: false) }
        if linears.isEmpty, found.isEmpty {
            var wanted = "all"
            if case .pattern(let pattern) = targets.modules { wanted = pattern.text }
            throw .unknownTarget(target: wanted, available: targetNames)
        }
        return (linears, found.map { ($0.key, $0.value) })
    }

    /// PEFT turns the inputs of plain linear layers only.
    private func checkRotations(_ table: String?) throws(ModelError) {
        if let table { throw .unknownTarget(target: table, available: targetNames) }
        guard names.storesTransposed else { return }
        throw .unsupported(file: directory, what: "OFT on the Conv1D layers of \(spec.modelType)", whatToDo: "Use finetuning_type: lora.")
    }

    /// The parameters of `modules_to_save`: of every module whose path ends with a name, as PEFT compares them.
    private func savedParameters(_ modules: [String]) throws(ModelError) -> [Parameter] {
        guard !modules.isEmpty else { return [] }
        var all = parameters.map(\.name)
        if spec.tiesEmbeddings { all.append(head.name + ".weight") }
        var found: [Parameter] = [], used: Set<String> = []
        for name in all {
            let paths = Self.enclosingModules(of: name)
            guard let module = modules.first(where: { module in paths.contains { $0.hasSuffix(module) } }) else { continue }
            used.insert(module)
            if let parameter = baseParameter(name) { found.append(parameter) }
        }
        for module in modules where !all.contains(where: { Self.enclosingModules(of: $0).contains { $0.hasSuffix(module) } }) {
            throw .unknownModule(name: module, available: moduleNames)
        }
        return found
    }

    /// The last parts of the paths of all modules with parameters.
    public var moduleNames: [String] {
        var seen: [String] = []
        for name in parameters.map(\.name) + [head.name + ".weight"] {
            guard let module = Self.enclosingModules(of: name).last.map(Self.lastPart), !seen.contains(module) else { continue }
            seen.append(module)
        }
        return seen
    }

    /// `model`, `model.layers`, ... `model.layers.0.mlp.up_proj` for `model.layers.0.mlp.up_proj.weight`.
    private static func enclosingModules(of parameter: String) -> [String] {
        let parts = parameter.split(separator: ".").dropLast()
        return parts.indices.map { parts[...$0].joined(separator: ".") }
    }

    /// `up_proj` of `model.layers.0.mlp.up_proj`.
    public static func lastPart(_ path: String) -> String { path.split(separator: ".").last.map(String.init) ?? path }
}
