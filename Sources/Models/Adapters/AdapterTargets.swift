import Formats

/// Which modules an adapter sits on, by PEFT's rules (`check_target_module_exists` of peft 0.18): a list of names that paths end
/// with, a regular expression over whole paths, or every linear layer; some layers only; exceptions.
struct AdapterTargets: Sendable, Equatable {
    enum Modules: Sendable, Equatable {
        /// Every linear layer but the head.
        case allLinear
        case names([String])
        case pattern(PathPattern)
    }

    enum Exclusion: Sendable, Equatable {
        case names([String])
        case pattern(PathPattern)
    }

    var modules: Modules
    var exclusion = Exclusion.names([])
    /// `layers_to_transform`, for lists of names; empty for every layer.
    private var layers: Set<Int> = []
    /// `layers_pattern`: what paths say before a layer's number; empty for anything.
    private var layerPatterns: [PathPattern] = []
    /// `modules_to_save`: these are trained whole, nothing sits on them.
    var savedModules: [String] = []
    private var savedPatterns: [PathPattern] = []

    init(_ modules: Modules, savedModules: [String] = [], file: String = "") throws(ModelError) {
        self.modules = modules
        self.savedModules = savedModules
        for name in savedModules { savedPatterns.append(try PathPattern(name, .part, file: file, key: "modules_to_save")) }
    }

    init(_ fields: ConfigurationFields) throws(ModelError) {
        try self.init(try Self.modules(fields), savedModules: try Self.names(fields, "modules_to_save") ?? [], file: fields.file)
        if let text = fields.value("exclude_modules")?.stringValue, !text.isEmpty {
            exclusion = .pattern(try PathPattern(text, .whole, file: fields.file, key: "exclude_modules"))
        } else {
            exclusion = .names(try Self.names(fields, "exclude_modules") ?? [])
        }
        guard let value = fields.value("layers_to_transform") else { return }
        let patterns = try Self.names(fields, "layers_pattern") ?? []
        for layer in value.arrayValue ?? [value] {
            guard let index = layer.intValue, index >= 0 else { throw fields.invalid("layers_to_transform", "numbers of layers", value) }
            layers.insert(index)
        }
        for text in patterns { layerPatterns.append(try PathPattern(text, .beforeLayer, file: fields.file, key: "layers_pattern")) }
    }

    private static func modules(_ fields: ConfigurationFields) throws(ModelError) -> Modules {
        guard let text = fields.value("target_modules")?.stringValue else {
            // PEFT fills in a family's usual modules before it saves, so that a list is always there; without one the file's
            // tensors say where they belong.
            return .names(try names(fields, "target_modules") ?? [])
        }
        if text.lowercased() == "all-linear" { return .allLinear }
        return .pattern(try PathPattern(text, .whole, file: fields.file, key: "target_modules"))
    }

    /// A text or a list of texts.
    private static func names(_ fields: ConfigurationFields, _ key: String) throws(ModelError) -> [String]? {
        guard let value = fields.value(key) else { return nil }
        if let text = value.stringValue { return text.isEmpty ? [] : [text] }
        guard let items = value.arrayValue else { throw fields.invalid(key, "a text or a list of texts", value) }
        var names: [String] = []
        for item in items {
            guard let name = item.stringValue, !name.isEmpty else { throw fields.invalid(key, "a list of texts", value) }
            names.append(name)
        }
        return names
    }

    /// Whether the module is one of those trained whole, or inside of one.
    func isSaved(_ path: String) -> Bool { savedPatterns.contains { $0.matches(path) } }

    /// Whether a linear layer or embedding gets an adapter.
    func contains(_ path: String, isLinear: Bool, isHead: Bool) -> Bool {
        switch exclusion {
        case .names(let names): if names.contains(where: { Self.ends(path, $0) }) { return false }
        case .pattern(let pattern): if pattern.matches(path) { return false }
        }
        if isSaved(path) { return false }
        switch modules {
        case .allLinear: return isLinear && !isHead
        case .pattern(let pattern): return pattern.matches(path)
        case .names(let names):
            if names.contains(path) { return true }
            guard names.contains(where: { Self.ends(path, $0) }) else { return false }
            return layers.isEmpty || layer(path).map { layers.contains($0) } == true
        }
    }

    /// The number that PEFT takes for the layer's: the last one in a path with something before it. Of
    /// `model.layers.1.mlp.experts.3.up_proj` that is the expert's, unless `layers_pattern` says "layers".
    private func layer(_ path: String) -> Int? {
        let parts = path.split(separator: ".", omittingEmptySubsequences: false)
        let places = parts.indices.dropFirst(2).dropLast().reversed().filter { place in
            !parts[place].isEmpty && parts[place].utf8.allSatisfy { (48...57).contains($0) }
        }
        guard !layerPatterns.isEmpty else { return places.first.flatMap { Int(parts[$0]) } }
        for pattern in layerPatterns {
            if let place = places.first(where: { pattern.matches(parts[..<$0].joined(separator: ".")) }) { return Int(parts[place]) }
        }
        return nil
    }

    /// Whether a path is `name`, or ends with it after a dot.
    static func ends(_ path: String, _ name: String) -> Bool { path == name || path.hasSuffix("." + name) }
}
