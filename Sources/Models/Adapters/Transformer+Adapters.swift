import Platform
import Tensors

/// LoRA adapters on the linear layers. A model carries at most one; further ones are merged into the base first.
extension Transformer {
    /// The names that `targets` may hold: the last part of each linear layer's path, in order of appearance.
    public var targetNames: [String] {
        var seen: [String] = []
        for linear in linears {
            let name = Self.lastPart(linear.name)
            if !seen.contains(name) { seen.append(name) }
        }
        return seen
    }

    /// Puts a fresh adapter on every targeted layer: A drawn as `kaiming_uniform(a = sqrt 5)` draws it, B zero, so that nothing
    /// changes before the first step. The base is frozen, the adapter trained.
    /// - Returns: the layers that were given one.
    @discardableResult
    public func addLowRankAdapters(_ settings: AdapterSettings, random: inout RandomGenerator) throws(ModelError) -> [Linear] {
        let chosen = try targeted(settings.targets)
        for parameter in parameters { parameter.requiresGradient = false }
        for linear in linears { linear.adapter = nil }
        for linear in chosen {
            let bound = 1 / Double(linear.inputCount).squareRoot()
            var values = [Float](repeating: 0, count: settings.rank * linear.inputCount)
            for index in values.indices { values[index] = Float(random.uniform(-bound, bound)) }
            linear.adapter = makeAdapter(
                on: linear, a: Tensor(values, shape: [settings.rank, linear.inputCount]),
                b: Tensor.zeros([linear.outputCount, settings.rank]), scale: settings.scale, dropout: settings.dropout)
        }
        var names: [String] = []
        for name in chosen.map({ Self.lastPart($0.name) }) where !names.contains(name) { names.append(name) }
        adapterConfiguration = AdapterConfiguration(
            settings, targetNames: names.sorted(), baseModel: directory, storesTransposed: self.names.storesTransposed)
        return chosen
    }

    /// Switches every adapter on or off; off is the base model.
    public func setAdapter(enabled: Bool) {
        for linear in linears { linear.adapter?.isEnabled = enabled }
    }

    /// Whether there is an adapter and it takes part.
    public var isAdapterEnabled: Bool { linears.contains { $0.adapter?.isEnabled == true } }

    public var hasAdapter: Bool { linears.contains { $0.adapter != nil } }

    /// Takes the adapter off and forgets it.
    public func removeAdapter() {
        for linear in linears { linear.adapter = nil }
        adapterConfiguration = nil
    }

    /// Adds the adapter into the base weights and takes it off. Sums are made in f32 and rounded to the type that the weight
    /// is stored in, so a bf16 base stays bf16.
    public func mergeAdapter() {
        for linear in linears where linear.adapter != nil {
            guard let weight = linear.weight.parameter, let merged = mergedWeight(of: linear) else { continue }
            weight.value = merged
            linear.adapter = nil
        }
        adapterConfiguration = nil
    }

    func makeAdapter(on linear: Linear, a: Tensor, b: Tensor, scale: Float, dropout: Double) -> LowRankAdapter {
        let prefix = AdapterNames.prefix + linear.name
        return LowRankAdapter(
            a: Parameter(name: prefix + AdapterNames.a, value: a, requiresGradient: true),
            b: Parameter(name: prefix + AdapterNames.b, value: b, requiresGradient: true), scale: scale, dropout: Float(dropout))
    }

    /// The layers that PEFT's `target_modules` would pick: a target is the last part, or the last parts, of a module's path.
    private func targeted(_ targets: [String]) throws(ModelError) -> [Linear] {
        if targets.contains("all") { return layers.flatMap(\.usualTargets) }
        for target in targets where !linears.contains(where: { Self.matches($0.name, target) }) {
            throw .unknownTarget(target: target, available: targetNames)
        }
        return linears.filter { linear in targets.contains { Self.matches(linear.name, $0) } }
    }

    static func matches(_ module: String, _ target: String) -> Bool { module == target || module.hasSuffix("." + target) }

    private static func lastPart(_ path: String) -> String {
        path.split(separator: ".").last.map(String.init) ?? path
    }
}

/// How PEFT names an adapter's tensors.
enum AdapterNames {
    static let prefix = "base_model.model."
    static let a = ".lora_A.weight"
    static let b = ".lora_B.weight"
}
