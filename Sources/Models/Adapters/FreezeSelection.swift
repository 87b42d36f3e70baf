import Tensors

/// Freeze tuning: some layers, or parts of them, are trained as they are and the rest stands still. The rules, and what names mean,
/// are LLaMA-Factory's.
public struct FreezeSelection: Sendable, Equatable {
    /// `freeze_trainable_layers`: so many of the last layers, or of the first when negative.
    public var layers: Int
    /// `freeze_trainable_modules`: parts of those layers, such as `self_attn` or `mlp`; `all` for every one.
    public var modules: [String]
    /// `freeze_extra_modules`: parts outside of the layers, such as `embed_tokens` or `norm`.
    public var extraModules: [String]
    /// `use_llama_pro`: the layers that an expansion has added, `layers` of them.
    public var isExpanded: Bool

    public init(layers: Int = 2, modules: [String] = ["all"], extraModules: [String] = [], isExpanded: Bool = false) {
        self.layers = layers
        self.modules = modules
        self.extraModules = extraModules
        self.isExpanded = isExpanded
    }

    /// The numbers of the layers that are trained.
    public func layerIndices(of count: Int) throws(ModelError) -> [Int] {
        if isExpanded { return try Self.expandedLayers(count, added: layers) }
        return layers > 0 ? Array(max(0, count - layers)..<count) : Array(0..<min(layers.magnitude > UInt(count) ? count : -layers, count))
    }

    /// Where block expansion puts its new blocks: behind every so many, the last one at the end.
    public static func expandedLayers(_ count: Int, added: Int) throws(ModelError) -> [Int] {
        guard added > 0, count % added == 0 else {
            throw .unsupported(
                file: "freeze_trainable_layers", what: "\(added) added blocks in a model of \(count) layers",
                whatToDo: "The number of layers must be a multiple of the number of added blocks; set it to what the expansion added.")
        }
        let stride = count / added
        return Array(Swift.stride(from: stride - 1, to: count, by: stride))
    }
}

extension Transformer {
    /// Marks what freeze tuning trains, and gives it values of the type asked for in memory of its own.
    public func freeze(_ selection: FreezeSelection, trainedType: DType) throws(ModelError) {
        let indices = try selection.layerIndices(of: spec.layerCount)
        let parts = layerParts
        for module in selection.modules where module != "all" && !parts.contains(module) {
            throw .unknownModule(name: module, available: parts + ["all"])
        }
        let outside = outerModules
        for module in selection.extraModules where !outside.contains(module) {
            throw .unknownModule(name: module, available: outside)
        }
        let wanted = indices.flatMap { index in selection.modules.map { ".\(index).\($0 == "all" ? "" : $0)" } } + selection.extraModules
        for parameter in parameters {
            parameter.requiresGradient = wanted.contains { parameter.name.contains($0) }
            guard parameter.requiresGradient else { continue }
            parameter.value = backend.isPlanning
                ? PlanningBackend.placeholder(parameter.shape, trainedType) : parameter.value.converted(to: trainedType)
        }
        guard parameters.contains(where: \.requiresGradient) else {
            throw .unsupported(
                file: "freeze_trainable_layers", what: "a run that trains nothing",
                whatToDo: "Choose a number of layers other than 0, or name freeze_extra_modules.")
        }
    }

    /// Names of the parts of a layer: what follows the layer's number in its weights' names.
    var layerParts: [String] {
        var seen: [String] = []
        for parameter in parameters {
            let words = parameter.name.split(separator: ".").map(String.init)
            guard let place = words.firstIndex(of: "0"), place + 1 < words.count, !seen.contains(words[place + 1]) else { continue }
            seen.append(words[place + 1])
        }
        return seen
    }

    /// Names of the modules outside of the layers.
    private var outerModules: [String] {
        var seen: [String] = []
        for parameter in parameters {
            let words = parameter.name.split(separator: ".").map(String.init)
            guard !words.contains(where: { Int($0) != nil }), words.count > 1, !seen.contains(words[words.count - 2]) else { continue }
            seen.append(words[words.count - 2])
        }
        return seen
    }
}
