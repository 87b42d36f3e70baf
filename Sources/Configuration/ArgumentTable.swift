/// Every argument, once. The YAML reader, the command line, `--help`, completion and the board's forms all read this table.

public enum ArgumentTable {
    private static let byName: [String: Argument] = Dictionary(all.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })

    public static func argument(named name: String) -> Argument? { byName[name] }
}
