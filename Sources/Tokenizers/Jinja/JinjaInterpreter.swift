import Formats
import Platform

/// Names and values of one block. Macros keep the blocks that they were written in, by reference: they see later assignments.
final class JinjaScope {
    var values: [String: JinjaValue]
    init(_ values: [String: JinjaValue] = [:]) { self.values = values }
}

/// Runs a template's tree. Steps, nesting, work and the size of what is made are bounded: a template is somebody else's program.
final class JinjaInterpreter {
    struct Limits: Sendable {
        var steps = 10_000_000
        var callDepth = 100
        /// Expressions and blocks inside one another while they run, calls included.
        var nesting = 1000
        /// Text and lists that may be made, intermediate ones included.
        var outputBytes = 256 << 20
        /// What all of it may cost, steps and operations together, in about nanoseconds: the dearest template of the known families
        /// takes a thousandth.
        var work = 2_000_000_000
        /// Lists and mappings inside one another.
        var valueDepth = 200
    }

    enum Flow { case normal, breakLoop, continueLoop }

    let limits: Limits
    private var steps = 0
    private var callDepth = 0
    private var nesting = 0
    private var producedBytes = 0
    private var work = 0
    private(set) var line = 1
    /// Innermost scope last; the first holds what is given, the second is the template's own.
    var scopes: [JinjaScope]
    var output = ""
    /// Byte ranges of the text that `{% generation %}` blocks wrote.
    private(set) var generationRanges: [Range<Int>] = []
    /// What could hold itself in a circle and is emptied at the end.
    private var namespaces: [JinjaNamespace] = []
    private var keptScopes: [JinjaScope] = []

    init(globals: [String: JinjaValue], limits: Limits) {
        scopes = [JinjaScope(globals), JinjaScope()]
        self.limits = limits
    }

    deinit {
        for space in namespaces { space.empty() }
        for scope in keptScopes { scope.values = [:] }
    }

    func fail(_ reason: String) -> TemplateError { .rendering(line: line, reason: reason) }

    // MARK: Limits

    func step() throws(TemplateError) {
        steps += 1
        if steps > limits.steps { throw .tooExpensive(what: "it ran more than \(limits.steps) steps") }
        try spend(JinjaInterpreter.stepCost)
    }

    private static let stepCost = 200
    /// A round of a loop: its names are made anew.
    private static let roundCost = 800

    /// Charges for text or lists that an operation makes, so that doubling in a loop ends early.
    func charge(_ bytes: Int) throws(TemplateError) {
        producedBytes += min(max(bytes, 0), 1 << 40)
        if producedBytes > limits.outputBytes { throw .tooExpensive(what: "it made more than \(limits.outputBytes >> 20) MB of text") }
    }

    /// Allows work in proportion to what is rendered, so that long conversations have room too.
    func allowWork(forBytes bytes: Int) { work -= min(bytes, 1 << 32) * 1000 }

    /// Charges for what an operation looks at, in about nanoseconds.
    func spend(_ cost: Int) throws(TemplateError) {
        work += min(max(cost, 0), 1 << 40)
        if work > limits.work { throw .tooExpensive(what: "it does more work than a template may") }
    }

    /// Charges for going through so many elements.
    func spendElements(_ count: Int) throws(TemplateError) { try spend(min(count, 1 << 32) * 32) }

    /// Charges for a list of so many elements.
    func chargeElements(_ count: Int) throws(TemplateError) { try charge(min(count, 1 << 32) * 40) }

    func enter() throws(TemplateError) {
        nesting += 1
        if nesting > limits.nesting { throw .tooExpensive(what: "blocks and calls are nested more than \(limits.nesting) deep") }
    }

    func leave() { nesting -= 1 }

    /// Refuses a value whose lists and mappings are nested without end: letting go of it would need as deep a stack.
    func checkDepth(_ value: JinjaValue) throws(TemplateError) { try checkDepth(value, 1) }

    private func checkDepth(_ value: JinjaValue, _ depth: Int) throws(TemplateError) {
        func check(_ values: some Sequence<JinjaValue>, _ count: Int) throws(TemplateError) {
            if depth > limits.valueDepth { throw .tooExpensive(what: "lists are nested more than \(limits.valueDepth) deep") }
            try spendElements(count)
            for value in values { try checkDepth(value, depth + 1) }
        }
        switch value {
        case .list(let values), .tuple(let values): try check(values, values.count)
        case .dictionary(let dictionary):
            for pair in dictionary.pairs { try check([pair.key, pair.value], 2) }
        case .view(let view): try check(view.elements, view.elements.count)
        case .generator(let generator): try check(generator.remaining, generator.remaining.count)
        case .namespace(let space): try check(space.pairs.map(\.value), space.pairs.count)
        case .undefined, .none, .bool, .integer, .number, .string, .loop, .function: break
        }
    }

    // MARK: Names

    func lookUp(_ name: String) -> JinjaValue {
        for scope in scopes.reversed() {
            // The next step asks whether that was too much.
            work += 16
            if let value = scope.values[name] { return value }
        }
        return .undefined(name)
    }

    func assign(_ name: String, _ value: JinjaValue) { scopes[scopes.count - 1].values[name] = value }

    func assign(_ target: JinjaTarget, _ value: JinjaValue) throws(TemplateError) {
        switch target {
        case .name(let name): assign(name, value)
        case .attribute(let name, let attribute):
            guard case .namespace(let space) = lookUp(name) else {
                throw fail("\(name).\(attribute) cannot be set: only a namespace's values can")
            }
            try checkDepth(value)
            space[attribute] = value
        case .tuple(let targets):
            let values = try items(of: value)
            guard values.count == targets.count else {
                throw fail("\(values.count) values cannot be given to \(targets.count) names")
            }
            for (target, value) in zip(targets, values) { try assign(target, value) }
        }
    }

    func makeNamespace() -> JinjaNamespace {
        let space = JinjaNamespace()
        namespaces.append(space)
        return space
    }

    /// The scopes as they are, for a macro that is written here.
    func captureScopes() -> [JinjaScope] {
        if let last = scopes.last, keptScopes.last !== last { keptScopes.append(last) }
        return scopes
    }

    // MARK: Statements

    func run(_ body: [JinjaStatement]) throws(TemplateError) -> Flow {
        try enter()
        defer { leave() }
        for statement in body {
            line = statement.line
            try step()
            let flow = try run(statement)
            if flow != .normal { return flow }
        }
        return .normal
    }

    /// A body with names of its own.
    func runInside(_ body: [JinjaStatement]) throws(TemplateError) -> Flow {
        scopes.append(JinjaScope())
        defer { scopes.removeLast() }
        return try run(body)
    }

    func write(_ text: String) throws(TemplateError) {
        try charge(text.utf8.count)
        output += text
    }

    private func run(_ statement: JinjaStatement) throws(TemplateError) -> Flow {
        switch statement.kind {
        case .text(let text): try write(text)
        case .output(let expression): try write(try text(of: try evaluate(expression)))
        case .expression(let expression): _ = try evaluate(expression)
        case .condition(let branches, let otherwise):
            for branch in branches where try evaluate(branch.test).isTrue { return try run(branch.body) }
            return try run(otherwise)
        case .loop(let loop): return try runLoop(loop, try evaluate(loop.sequence), depth: 0)
        case .set(let target, let expression): try assign(target, try evaluate(expression))
        case .setBlock(let target, let body, let filters):
            try assign(target, try filtered(.string(try capture(body)), filters))
        case .macro(let macro): assign(macro.name, .function(function(macro)))
        case .call(let caller, let expression): try runCall(caller, expression)
        case .filterBlock(let filters, let body): try write(try text(of: try filtered(.string(try capture(body)), filters)))
        case .with(let assignments, let body):
            var values: [(JinjaTarget, JinjaValue)] = []
            for (target, expression) in assignments { values.append((target, try evaluate(expression))) }
            scopes.append(JinjaScope())
            defer { scopes.removeLast() }
            for (target, value) in values { try assign(target, value) }
            return try run(body)
        case .block(let body): return try runInside(body)
        case .generation(let body):
            let start = output.utf8.count
            let flow = try runInside(body)
            generationRanges.append(start..<output.utf8.count)
            return flow
        case .otherFile(let word): throw fail("{% \(word) %} would read another file, which templates may not")
        case .breakLoop: return .breakLoop
        case .continueLoop: return .continueLoop
        }
        return .normal
    }

    private func filtered(_ value: JinjaValue, _ filters: [(String, JinjaArguments)]) throws(TemplateError) -> JinjaValue {
        var value = value
        for (name, arguments) in filters { value = try applyFilter(name, value, try evaluate(arguments)) }
        return value
    }

    /// The text that a body writes, with names of its own.
    func capture(_ body: [JinjaStatement]) throws(TemplateError) -> String {
        let saved = output
        output = ""
        defer { output = saved }
        _ = try runInside(body)
        return output
    }

    /// As Python's `str`, charged for.
    func text(of value: JinjaValue) throws(TemplateError) -> String {
        if case .string(let text) = value { return text }
        try chargeText(of: value)
        return value.text
    }

    /// As Python's `repr`, charged for.
    func representation(of value: JinjaValue) throws(TemplateError) -> String {
        try chargeText(of: value)
        try spendWeight(value, times: 100)
        return value.representation
    }

    /// Charges for a value's text before it is made: a list that holds the same long text many times is small until it is written.
    func chargeText(of value: JinjaValue) throws(TemplateError) {
        switch value {
        case .string(let text): try charge(text.utf8.count + 4)
        case .list(let values), .tuple(let values):
            try spendElements(values.count)
            for value in values { try chargeText(of: value) }
        case .dictionary(let dictionary):
            try spendElements(dictionary.pairs.count * 2)
            for pair in dictionary.pairs {
                try chargeText(of: pair.key)
                try chargeText(of: pair.value)
            }
        case .view(let view):
            try spendElements(view.elements.count)
            for value in view.elements { try chargeText(of: value) }
        case .undefined, .none, .bool, .integer, .number, .generator, .namespace, .loop, .function: try charge(16)
        }
        try charge(4)
    }

    private func runLoop(_ loop: JinjaForLoop, _ sequence: JinjaValue, depth: Int) throws(TemplateError) -> Flow {
        var elements = try items(of: sequence)
        if let filter = loop.filter {
            var kept: [JinjaValue] = []
            scopes.append(JinjaScope())
            defer { scopes.removeLast() }
            for element in elements {
                try step()
                try assign(loop.target, element)
                if try evaluate(filter).isTrue { kept.append(element) }
            }
            elements = kept
        }
        if elements.isEmpty { return try runInside(loop.otherwise) }
        // A deeper round sees what the loop saw, not what its body has set.
        let outside = scopes
        let again = loop.isRecursive ? { (interpreter: JinjaInterpreter, value: JinjaValue, depth: Int) throws(TemplateError) -> String in
            try interpreter.runAgain(loop, value, depth, outside)
        } : nil
        let state = JinjaLoop(elements, depth: depth, again: again)
        for index in elements.indices {
            try step()
            try spend(JinjaInterpreter.roundCost)
            scopes.append(JinjaScope())
            defer { scopes.removeLast() }
            state.index = index
            try assign(loop.target, elements[index])
            assign("loop", .loop(state))
            if try run(loop.body) == .breakLoop { break }
        }
        return .normal
    }

    /// The body of a recursive loop for `loop(value)`.
    private func runAgain(_ loop: JinjaForLoop, _ value: JinjaValue, _ depth: Int, _ outside: [JinjaScope]) throws(TemplateError) -> String {
        let saved = (scopes, output)
        scopes = outside
        output = ""
        defer { (scopes, output) = saved }
        _ = try runLoop(loop, value, depth: depth)
        return output
    }

    // MARK: Calls

    func call(_ callee: JinjaValue, _ arguments: JinjaCallArguments) throws(TemplateError) -> JinjaValue {
        callDepth += 1
        defer { callDepth -= 1 }
        if callDepth > limits.callDepth { throw .tooExpensive(what: "calls are nested more than \(limits.callDepth) deep") }
        switch callee {
        case .function(let function): return try function.body(self, arguments)
        case .loop(let loop): return try loop.call(self, arguments)
        case .undefined, .none, .bool, .integer, .number, .string, .list, .tuple, .dictionary, .view, .generator, .namespace:
            throw fail("\(callee.kindName) cannot be called")
        }
    }

    /// What a loop over the value sees.
    func items(of value: JinjaValue) throws(TemplateError) -> [JinjaValue] {
        switch value {
        case .list(let values), .tuple(let values): return values
        case .string(let text):
            try spend(text.utf8.count * 32)
            try chargeElements(text.utf8.count)
            return text.unicodeScalars.map { .string(String(Character($0))) }
        case .dictionary(let dictionary):
            try spendElements(dictionary.pairs.count)
            return dictionary.pairs.map(\.key)
        case .view(let view): return view.elements
        case .generator(let generator): return generator.takeAll()
        case .undefined: return []
        case .none, .bool, .integer, .number, .namespace, .loop, .function: throw fail("\(value.kindName) cannot be looped over")
        }
    }
}
