/// Well-known text models by their names on the hubs, as LLaMA Board offers them.

/// A model of a hub that need not be on this machine.
public struct KnownModel: Sendable, Equatable {
    /// Its name on the Hugging Face hub.
    public var name: String
    /// Its name on ModelScope, where it is there.
    public var modelScopeName: String?
    /// The prompt template that suits it; nil for base models.
    public var template: String?
}

public enum KnownModels {
    /// Every model of the table, by name.
    ///
    /// One line each: name on Hugging Face, name on ModelScope (`=` for the same, `-` for none), template (`-` for none).
    public static let all: [KnownModel] = (firstHalf + "\n" + secondHalf).split(separator: "\n").compactMap { line in
        let parts = line.split(separator: " ").map(String.init)
        guard parts.count == 3 else { return nil }
        return KnownModel(
            name: parts[0], modelScopeName: parts[1] == "=" ? parts[0] : parts[1] == "-" ? nil : parts[1],
            template: parts[2] == "-" ? nil : parts[2])
    }

    private static let byName = Dictionary(all.map { ($0.name.lowercased(), $0) }, uniquingKeysWith: { first, _ in first })

    /// The row of a model, by its name on the Hugging Face hub.
    public static func named(_ name: String) -> KnownModel? { byName[name.lowercased()] }
}
