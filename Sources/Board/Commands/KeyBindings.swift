import Terminal

/// The user's own keys. They stand beside the command table: dispatch, footer, help and palette ask here first.
public struct KeyBindings: Sendable {
    /// Keys by command; an empty list takes a command's keys away.
    private let overrides: [String: [Key]]
    private let byKey: [Key: [BoardCommand]]

    @TaskLocal static var current = KeyBindings()

    public init(_ overrides: [String: [Key]] = [:]) {
        self.overrides = overrides
        guard !overrides.isEmpty else {
            byKey = [:]
            return
        }
        var table: [Key: [BoardCommand]] = [:]
        // The user's keys come first, so that they win over those of the table.
        for command in CommandTable.all { for key in overrides[command.identifier] ?? [] { table[key, default: []].append(command) } }
        for command in CommandTable.all where overrides[command.identifier] == nil {
            for key in command.keys { table[key, default: []].append(command) }
        }
        byKey = table
    }

    public var isEmpty: Bool { overrides.isEmpty }

    func keys(of command: BoardCommand) -> [Key] { overrides[command.identifier] ?? command.keys }

    /// The commands that a key may mean, the user's first; nil where the user has no keys of their own.
    func candidates(for key: Key) -> [BoardCommand]? { overrides.isEmpty ? nil : byKey[key] ?? [] }
}

extension BoardCommand {
    /// The keys that mean this command now.
    var boundKeys: [Key] { KeyBindings.current.keys(of: self) }
}
