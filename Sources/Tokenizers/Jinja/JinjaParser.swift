/// Tokens to tree: statements. Expressions are in `JinjaParser+Expressions.swift`.
struct JinjaParser {
    var tokens: [JinjaLexer.Placed]
    var position = 0
    var depth = 0
    static let depthLimit = 150
    /// Operators, filters and the like in a row within one tag: each makes the tree a level deeper.
    var chained = 0
    static let chainLimit = 1000
    /// Names that the innermost macro's body uses.
    var usedNames: Set<String> = []

    mutating func chain() throws(TemplateError) {
        chained += 1
        if chained > JinjaParser.chainLimit { throw .tooExpensive(what: "one tag has more than \(JinjaParser.chainLimit) operators") }
    }

    static func parse(_ source: String) throws(TemplateError) -> [JinjaStatement] {
        var parser = JinjaParser(tokens: try JinjaLexer.tokens(source))
        let (body, _) = try parser.parseBody(until: [])
        return body
    }

    var current: JinjaLexer.Token { tokens[min(position, tokens.count - 1)].token }
    var line: Int { tokens[min(position, tokens.count - 1)].line }

    mutating func advance() { if position < tokens.count - 1 { position += 1 } }

    func fail(_ reason: String) -> TemplateError { .syntax(line: line, reason: reason) }

    mutating func take(_ symbol: String) -> Bool {
        guard current == .symbol(symbol) else { return false }
        advance()
        return true
    }

    mutating func takeName(_ name: String) -> Bool {
        guard current == .name(name) else { return false }
        advance()
        return true
    }

    mutating func expect(_ symbol: String) throws(TemplateError) {
        if !take(symbol) { throw fail("expected \(symbol), found \(describeCurrent())") }
    }

    mutating func expectName() throws(TemplateError) -> String {
        guard case .name(let name) = current else { throw fail("expected a name, found \(describeCurrent())") }
        advance()
        return name
    }

    private mutating func expectBlockEnd() throws(TemplateError) {
        guard current == .blockEnd else { throw fail("expected %}, found \(describeCurrent())") }
        advance()
    }

    func describeCurrent() -> String {
        switch current {
        case .text: return "text"
        case .name(let name): return name
        case .string(let text): return "\"\(text.prefix(20))\""
        case .integer(let value): return String(value)
        case .number(let value): return String(value)
        case .symbol(let symbol): return symbol
        case .blockBegin: return "{%"
        case .blockEnd: return "%}"
        case .variableBegin: return "{{"
        case .variableEnd: return "}}"
        case .end: return "the end of the template"
        }
    }

    /// Statements up to one of the closing words, which is taken (not what follows it in its tag).
    private mutating func parseBody(until closings: Set<String>) throws(TemplateError) -> ([JinjaStatement], closing: String) {
        depth += 1
        defer { depth -= 1 }
        if depth > JinjaParser.depthLimit { throw .tooExpensive(what: "blocks are nested more than \(JinjaParser.depthLimit) deep") }
        var body: [JinjaStatement] = []
        while true {
            let line = self.line
            switch current {
            case .end:
                if closings.isEmpty { return (body, "") }
                throw fail("expected \(closings.sorted().joined(separator: " or ")) before the end of the template")
            case .text(let text):
                advance()
                body.append(JinjaStatement(kind: .text(text), line: line))
            case .variableBegin:
                chained = 0
                advance()
                let expression = try parseTuple()
                guard current == .variableEnd else { throw fail("expected }}, found \(describeCurrent())") }
                advance()
                body.append(JinjaStatement(kind: .output(expression), line: line))
            case .blockBegin:
                chained = 0
                advance()
                let word = try expectName()
                if closings.contains(word) { return (body, word) }
                body.append(JinjaStatement(kind: try parseStatement(word), line: line))
            default: throw fail("unexpected \(describeCurrent())")
            }
        }
    }

    private mutating func parseStatement(_ word: String) throws(TemplateError) -> JinjaStatement.Kind {
        switch word {
        case "if": return try parseIf()
        case "for": return try parseFor()
        case "set": return try parseSet()
        case "macro":
            let name = try expectName()
            return .macro(try parseMacroBody(JinjaMacro(name: name, parameters: try parseParameters()), closing: "endmacro"))
        case "call":
            var macro = JinjaMacro(name: "caller", parameters: [])
            if current == .symbol("(") { macro.parameters = try parseParameters() }
            let call = try parseExpression()
            return .call(try parseMacroBody(macro, closing: "endcall"), call)
        case "filter":
            let filters = try parseFilterNames()
            try expectBlockEnd()
            let (body, _) = try parseBody(until: ["endfilter"])
            try expectBlockEnd()
            return .filterBlock(filters, body)
        case "with":
            var assignments: [(JinjaTarget, JinjaExpression)] = []
            while current != .blockEnd {
                let target = try parseTarget()
                try expect("=")
                assignments.append((target, try parseExpression()))
                if !take(",") { break }
            }
            try expectBlockEnd()
            let (body, _) = try parseBody(until: ["endwith"])
            try expectBlockEnd()
            return .with(assignments, body)
        case "block":
            _ = try expectName()
            _ = takeName("scoped")
            _ = takeName("required")
            try expectBlockEnd()
            let (body, _) = try parseBody(until: ["endblock"])
            if case .name = current { advance() }
            try expectBlockEnd()
            return .block(body)
        case "include", "import", "from", "extends":
            while current != .blockEnd, current != .end { advance() }
            try expectBlockEnd()
            return .otherFile(word)
        case "generation":
            try expectBlockEnd()
            let (body, _) = try parseBody(until: ["endgeneration"])
            try expectBlockEnd()
            return .generation(body)
        case "break":
            try expectBlockEnd()
            return .breakLoop
        case "continue":
            try expectBlockEnd()
            return .continueLoop
        case "do":
            let expression = try parseTuple()
            try expectBlockEnd()
            return .expression(expression)
        default: throw fail("the statement \(word) is not known")
        }
    }

    private mutating func parseIf() throws(TemplateError) -> JinjaStatement.Kind {
        var branches: [(test: JinjaExpression, body: [JinjaStatement])] = []
        var test = try parseTuple(withConditional: true)
        try expectBlockEnd()
        while true {
            let (body, closing) = try parseBody(until: ["elif", "else", "endif"])
            branches.append((test, body))
            if closing == "elif" {
                test = try parseTuple(withConditional: true)
                try expectBlockEnd()
                continue
            }
            try expectBlockEnd()
            var otherwise: [JinjaStatement] = []
            if closing == "else" {
                (otherwise, _) = try parseBody(until: ["endif"])
                try expectBlockEnd()
            }
            return .condition(branches, otherwise: otherwise)
        }
    }

    private mutating func parseFor() throws(TemplateError) -> JinjaStatement.Kind {
        let target = try parseTarget()
        guard takeName("in") else { throw fail("expected in, found \(describeCurrent())") }
        let sequence = try parseTuple(withConditional: false)
        let filter = takeName("if") ? try parseExpression() : nil
        let isRecursive = takeName("recursive")
        try expectBlockEnd()
        let (body, closing) = try parseBody(until: ["else", "endfor"])
        try expectBlockEnd()
        var otherwise: [JinjaStatement] = []
        if closing == "else" {
            (otherwise, _) = try parseBody(until: ["endfor"])
            try expectBlockEnd()
        }
        return .loop(
            JinjaForLoop(target: target, sequence: sequence, filter: filter, body: body, otherwise: otherwise, isRecursive: isRecursive))
    }

    private mutating func parseSet() throws(TemplateError) -> JinjaStatement.Kind {
        let target = try parseTarget()
        if take("=") {
            let value = try parseTuple()
            try expectBlockEnd()
            return .set(target, value)
        }
        var filters: [(String, JinjaArguments)] = []
        if take("|") { filters = try parseFilterNames() }
        try expectBlockEnd()
        let (body, _) = try parseBody(until: ["endset"])
        try expectBlockEnd()
        return .setBlock(target, body, filters: filters)
    }

    private mutating func parseFilterNames() throws(TemplateError) -> [(String, JinjaArguments)] {
        var filters: [(String, JinjaArguments)] = []
        repeat {
            let name = try expectName()
            filters.append((name, current == .symbol("(") ? try parseArguments() : JinjaArguments()))
        } while take("|")
        return filters
    }

    private mutating func parseParameters() throws(TemplateError) -> [(name: String, value: JinjaExpression?)] {
        var parameters: [(name: String, value: JinjaExpression?)] = []
        try expect("(")
        while current != .symbol(")") {
            let name = try expectName()
            parameters.append((name, take("=") ? try parseExpression() : nil))
            if !take(",") { break }
        }
        try expect(")")
        return parameters
    }

    private mutating func parseMacroBody(_ head: JinjaMacro, closing: String) throws(TemplateError) -> JinjaMacro {
        try expectBlockEnd()
        var macro = head
        let outer = usedNames
        usedNames = []
        (macro.body, _) = try parseBody(until: [closing])
        macro.usesVariableArguments = usedNames.contains("varargs")
        macro.usesNamedArguments = usedNames.contains("kwargs")
        macro.usesCaller = usedNames.contains("caller")
        usedNames.formUnion(outer)
        if case .name = current { advance() }
        try expectBlockEnd()
        return macro
    }

    private mutating func parseTarget() throws(TemplateError) -> JinjaTarget {
        depth += 1
        defer { depth -= 1 }
        if depth > JinjaParser.depthLimit { throw .tooExpensive(what: "names are nested more than \(JinjaParser.depthLimit) deep") }
        var targets: [JinjaTarget] = []
        var isTuple = false
        repeat {
            if !targets.isEmpty { isTuple = true }
            if current == .name("in") || current == .symbol("=") { break }
            if take("(") {
                targets.append(try parseTarget())
                try expect(")")
                continue
            }
            let name = try expectName()
            if take(".") {
                targets.append(.attribute(name, try expectName()))
            } else {
                targets.append(.name(name))
            }
        } while take(",")
        return targets.count == 1 && !isTuple ? targets[0] : .tuple(targets)
    }
}
