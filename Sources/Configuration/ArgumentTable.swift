/// Every argument, once. The YAML reader, the command line, `--help`, completion and the board's forms all read this table.

public enum ArgumentTable {
    /// All arguments, group by group.
    public static let all: [Argument] = [
        model, quantization, data, basic, extra, optimizer, schedule, precision, saving, evaluation, freeze, lora, oft, rlhf, galore,
        apollo, badam, swanlab, multimodal, generation, benchmark, export, hub, distributed, otherEngines,
        tuneboard,
    ].flatMap { $0 }

    private static let places = Dictionary(all.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })

    public static func argument(named name: String) -> Argument? { places[name].map { all[$0] } }

    /// The arguments of a command, in the table's order.
    public static func arguments(of command: Command) -> [Argument] { all.filter { $0.commands.contains(command) } }

    public static func arguments(in group: ArgumentGroup) -> [Argument] { all.filter { $0.group == group } }

    /// Puts rows into a group and a set of commands.
    static func rows(
        _ group: ArgumentGroup, _ commands: Set<Command>, _ arguments: [Argument], each: (Argument) -> Argument = { $0 }
    ) -> [Argument] {
        arguments.map { argument in
            each(argument).with {
                $0.group = group
                $0.commands.formUnion(commands)
            }
        }
    }

    /// The known name that is most like `name`, if one is like it at all.
    public static func nearest(_ name: String) -> String? {
        Spelling.nearest(name, among: all.lazy.map(\.name))
    }
}
