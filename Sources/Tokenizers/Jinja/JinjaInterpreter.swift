import Formats
import Platform

/// Runs a template's tree. Steps, depth and the size of the text are bounded: a template is somebody else's program.
final class JinjaInterpreter {
    struct Limits: Sendable {
        var steps = 1_000_000
        var callDepth = 60
        var outputBytes = 64 << 20
    }

    enum Flow { case normal, breakLoop, continueLoop }

    private let limits: Limits
    private var steps = 0
    private var callDepth = 0
    private var producedBytes = 0
    private(set) var line = 1
    /// Innermost scope last; the first is the template's own.
    var scopes: [[String: JinjaValue]]
    var output = ""
    /// Byte ranges of the text that `{% generation %}` blocks wrote.
    private(set) var generationRanges: [Range<Int>] = []

    init(globals: [String: JinjaValue], limits: Limits) {
        scopes = [globals, [:]]
        self.limits = limits
    }

    func fail(_ reason: String) -> TemplateError { .rendering(line: line, reason: reason) }

    func step() throws(TemplateError) {
        steps += 1
        if steps > limits.steps { throw .tooExpensive(what: "it ran more than \(limits.steps) steps") }
    }

    /// Charges for text or lists that an operation makes, so that doubling in a loop ends early.
    func charge(_ bytes: Int) throws(TemplateError) {
        producedBytes += min(max(bytes, 0), 1 << 40)
        if producedBytes > limits.outputBytes { throw .tooExpensive(what: "it made more than \(limits.outputBytes >> 20) MB of text") }
    }

    private func write(_ text: String) throws(TemplateError) {
        try charge(text.utf8.count)
        output += text
    }

    func lookUp(_ name: String) -> JinjaValue {
        for scope in scopes.reversed() {
            if let value = scope[name] { return value }
        }
        return .undefined(name)
    }

    func assign(_ name: String, _ value: JinjaValue) { scopes[scopes.count - 1][name] = value }

    func run(_ body: [JinjaStatement]) throws(TemplateError) -> Flow {
        for statement in body {
            line = statement.line
            try step()
            let flow = try run(statement)
            if flow != .normal { return flow }
        }
        return .normal
    }

    private func run(_ statement: JinjaStatement) throws(TemplateError) -> Flow {
        switch statement.kind {
        case .text(let text): try write(text)
        case .output(let expression): try write(try evaluate(expression).text)
        case .expression(let expression): _ = try evaluate(expression)
        case .condition(let branches, let otherwise):
            for branch in branches where try evaluate(branch.test).isTrue { return try run(branch.body) }
            return try run(otherwise)
        case .loop(let target, let sequence, let filter, let body, let otherwise, let isRecursive):
            if isRecursive { throw fail("recursive loops are not supported") }
            try runLoop(target, try evaluate(sequence), filter, body, otherwise)
        case .set(let target, let expression): try assign(target, try evaluate(expression))
        case .setBlock(let target, let body, let filters):
            var value = JinjaValue.string(try capture(body))
            for (name, arguments) in filters { value = try applyFilter(name, value, try evaluate(arguments)) }
            try assign(target, value)
        case .macro(let macro): assign(macro.name, .function(function(macro)))
        case .call(let caller, let expression):
            guard case .call(let callee, let arguments) = expression else { throw fail("a call block needs a call") }
            var evaluated = try evaluate(arguments)
            evaluated.named.append(("caller", .function(function(caller))))
            try write(try call(try evaluate(callee), evaluated).text)
        case .filterBlock(let filters, let body):
            var value = JinjaValue.string(try capture(body))
            for (name, arguments) in filters { value = try applyFilter(name, value, try evaluate(arguments)) }
            try write(value.text)
        case .with(let assignments, let body):
            scopes.append([:])
            defer { scopes.removeLast() }
            for (target, expression) in assignments { try assign(target, try evaluate(expression)) }
            return try run(body)
        case .generation(let body):
            let start = output.utf8.count
            let flow = try run(body)
            generationRanges.append(start..<output.utf8.count)
            return flow
        case .breakLoop: return .breakLoop
        case .continueLoop: return .continueLoop
        }
        return .normal
    }

    /// The text that a body writes.
    func capture(_ body: [JinjaStatement]) throws(TemplateError) -> String {
        let saved = output
        output = ""
        defer { output = saved }
        _ = try run(body)
        return output
    }

    func assign(_ target: JinjaTarget, _ value: JinjaValue) throws(TemplateError) {
        switch target {
        case .name(let name): assign(name, value)
        case .attribute(let name, let attribute):
            guard case .namespace(let space) = lookUp(name) else {
                throw fail("\(name).\(attribute) cannot be set: only a namespace's values can")
            }
            space[attribute] = value
        case .tuple(let targets):
            let values = try items(of: value)
            guard values.count == targets.count else {
                throw fail("\(values.count) values cannot be given to \(targets.count) names")
            }
            for (target, value) in zip(targets, values) { try assign(target, value) }
        }
    }

    private func runLoop(
        _ target: JinjaTarget, _ sequence: JinjaValue, _ filter: JinjaExpression?, _ body: [JinjaStatement],
        _ otherwise: [JinjaStatement]
    ) throws(TemplateError) {
        var elements = try items(of: sequence)
        if let filter {
            var kept: [JinjaValue] = []
            scopes.append([:])
            defer { scopes.removeLast() }
            for element in elements {
                try step()
                try assign(target, element)
                if try evaluate(filter).isTrue { kept.append(element) }
            }
            elements = kept
        }
        if elements.isEmpty {
            _ = try run(otherwise)
            return
        }
        let state = JinjaLoop(elements)
        for index in elements.indices {
            try step()
            scopes.append([:])
            defer { scopes.removeLast() }
            state.index = index
            try assign(target, elements[index])
            assign("loop", .loop(state))
            if try run(body) == .breakLoop { break }
        }
    }

    private func function(_ macro: JinjaMacro) -> JinjaFunction {
        JinjaFunction(macro.name) { (interpreter, arguments) throws(TemplateError) in
            try interpreter.callMacro(macro, arguments)
        }
    }

    private func callMacro(_ macro: JinjaMacro, _ arguments: JinjaCallArguments) throws(TemplateError) -> JinjaValue {
        // A macro sees the template's own names and its parameters, not those of the place that calls it; a caller block sees both.
        let saved = scopes
        if macro.name != "caller" { scopes = Array(scopes.prefix(2)) }
        scopes.append([:])
        defer { scopes = saved }
        var extra = arguments.positional
        for (index, parameter) in macro.parameters.enumerated() {
            if index < arguments.positional.count {
                assign(parameter.name, arguments.positional[index])
                extra.removeFirst()
            } else if let given = arguments.named.first(where: { $0.name == parameter.name }) {
                assign(parameter.name, given.value)
            } else if let value = parameter.value {
                assign(parameter.name, try evaluate(value))
            } else {
                assign(parameter.name, .undefined(parameter.name))
            }
        }
        let unknown = arguments.named.filter { given in
            given.name != "caller" && !macro.parameters.contains { $0.name == given.name }
        }
        assign("varargs", .tuple(extra))
        assign("kwargs", .dictionary(JinjaDictionary(unknown.map { (.string($0.name), $0.value) })))
        if let caller = arguments.named.first(where: { $0.name == "caller" }) { assign("caller", caller.value) }
        let outer = output
        output = ""
        defer { output = outer }
        _ = try run(macro.body)
        return .string(output)
    }

    func call(_ callee: JinjaValue, _ arguments: JinjaCallArguments) throws(TemplateError) -> JinjaValue {
        guard case .function(let function) = callee else { throw fail("\(callee.kindName) cannot be called") }
        callDepth += 1
        defer { callDepth -= 1 }
        if callDepth > limits.callDepth { throw .tooExpensive(what: "calls are nested more than \(limits.callDepth) deep") }
        return try function.body(self, arguments)
    }

    /// What a loop over the value sees.
    func items(of value: JinjaValue) throws(TemplateError) -> [JinjaValue] {
        switch value {
        case .list(let values), .tuple(let values): return values
        case .string(let text): return text.unicodeScalars.map { .string(String(Character($0))) }
        case .dictionary(let dictionary): return dictionary.pairs.map(\.key)
        case .undefined: return []
        case .none, .bool, .integer, .number, .namespace, .loop, .function: throw fail("\(value.kindName) cannot be looped over")
        }
    }
}

/// The `loop` variable.
final class JinjaLoop {
    private let elements: [JinjaValue]
    var index = 0
    private var lastSeen: [JinjaValue]?

    init(_ elements: [JinjaValue]) { self.elements = elements }

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
        case "depth": return .integer(1)
        case "depth0": return .integer(0)
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
