/// The `loop` variable.
final class JinjaLoop {
    private let elements: [JinjaValue]
    var index = 0
    /// Loops of the same statement that this one runs in, through `loop(...)`.
    private let depth: Int
    /// Renders the body for other elements; nil where the loop is not recursive.
    private let again: ((JinjaInterpreter, JinjaValue, Int) throws(TemplateError) -> String)?
    private var lastSeen: [JinjaValue]?

    init(
        _ elements: [JinjaValue], depth: Int = 0,
        again: ((JinjaInterpreter, JinjaValue, Int) throws(TemplateError) -> String)? = nil
    ) {
        self.elements = elements
        self.depth = depth
        self.again = again
    }

    var representation: String { "<LoopContext \(index + 1)/\(elements.count)>" }

    /// `loop(elements)`: the body once more, a level deeper.
    func call(_ interpreter: JinjaInterpreter, _ arguments: JinjaCallArguments) throws(TemplateError) -> JinjaValue {
        guard let again else { throw interpreter.fail("only a loop that is marked recursive can be called") }
        guard let elements = arguments.positional.first, arguments.positional.count == 1, arguments.named.isEmpty else {
            throw interpreter.fail("loop(...) takes one value to go through")
        }
        return .string(try again(interpreter, elements, depth + 1))
    }

    /// A value of the loop by its name.
    subscript(_ name: String) -> JinjaValue? {
        let count = elements.count
        switch name {
        case "index": return .integer(Int64(index + 1))
        case "index0": return .integer(Int64(index))
        case "revindex": return .integer(Int64(count - index))
        case "revindex0": return .integer(Int64(count - index - 1))
        case "first": return .bool(index == 0)
        case "last": return .bool(index == count - 1)
        case "length": return .integer(Int64(count))
        case "depth": return .integer(Int64(depth + 1))
        case "depth0": return .integer(Int64(depth))
        case "previtem": return index > 0 ? elements[index - 1] : .undefined("previtem")
        case "nextitem": return index + 1 < count ? elements[index + 1] : .undefined("nextitem")
        case "cycle":
            let position = index
            return .function(
                JinjaFunction("cycle") { (interpreter, arguments) throws(TemplateError) in
                    guard !arguments.positional.isEmpty else { throw interpreter.fail("cycle needs values") }
                    return arguments.positional[position % arguments.positional.count]
                })
        case "changed":
            return .function(
                JinjaFunction("changed") { [self] (_, arguments) throws(TemplateError) in
                    let same = lastSeen.map { old in
                        old.count == arguments.positional.count
                            && zip(old, arguments.positional).allSatisfy { JinjaValue.equal($0, $1) }
                    }
                    lastSeen = arguments.positional
                    return .bool(!(same ?? false))
                })
        default: return nil
        }
    }
}
