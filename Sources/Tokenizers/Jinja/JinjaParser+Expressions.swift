/// Expressions, from the loosest binding to the tightest.
extension JinjaParser {
    /// One expression, or several with commas between, which make a tuple.
    mutating func parseTuple(withConditional: Bool = true) throws(TemplateError) -> JinjaExpression {
        var parts = [withConditional ? try parseExpression() : try parseOr()]
        var isTuple = false
        while take(",") {
            isTuple = true
            if current == .blockEnd || current == .variableEnd { break }
            parts.append(withConditional ? try parseExpression() : try parseOr())
        }
        return isTuple ? .tuple(parts) : parts[0]
    }

    mutating func parseExpression() throws(TemplateError) -> JinjaExpression {
        depth += 1
        defer { depth -= 1 }
        if depth > JinjaParser.depthLimit { throw .tooExpensive(what: "expressions are nested more than \(JinjaParser.depthLimit) deep") }
        var value = try parseOr()
        while takeName("if") {
            try chain()
            let test = try parseOr()
            let otherwise = takeName("else") ? try parseExpression() : nil
            value = .conditional(value, test: test, otherwise: otherwise)
        }
        return value
    }

    mutating func parseOr() throws(TemplateError) -> JinjaExpression {
        var left = try parseAnd()
        while takeName("or") {
            try chain()
            left = .or(left, try parseAnd())
        }
        return left
    }

    private mutating func parseAnd() throws(TemplateError) -> JinjaExpression {
        var left = try parseNot()
        while takeName("and") {
            try chain()
            left = .and(left, try parseNot())
        }
        return left
    }

    private mutating func parseNot() throws(TemplateError) -> JinjaExpression {
        var count = 0
        while takeName("not") { count += 1 }
        let value = try parseComparison()
        if count == 0 { return value }
        return count % 2 == 1 ? .unary("not", value) : .unary("not", .unary("not", value))
    }

    private mutating func parseComparison() throws(TemplateError) -> JinjaExpression {
        let first = try parseSum()
        var rest: [(String, JinjaExpression)] = []
        while true {
            if case .symbol(let symbol) = current, ["==", "!=", "<", ">", "<=", ">="].contains(symbol) {
                advance()
                rest.append((symbol, try parseSum()))
            } else if takeName("in") {
                rest.append(("in", try parseSum()))
            } else if current == .name("not"), position + 1 < tokens.count, tokens[position + 1].token == .name("in") {
                advance()
                advance()
                rest.append(("not in", try parseSum()))
            } else {
                return rest.isEmpty ? first : .comparison(first, rest)
            }
        }
    }

    private mutating func parseSum() throws(TemplateError) -> JinjaExpression {
        var left = try parseConcatenation()
        while case .symbol(let symbol) = current, symbol == "+" || symbol == "-" {
            advance()
            try chain()
            left = .binary(symbol, left, try parseConcatenation())
        }
        return left
    }

    private mutating func parseConcatenation() throws(TemplateError) -> JinjaExpression {
        var parts = [try parseProduct()]
        while take("~") { parts.append(try parseProduct()) }
        return parts.count == 1 ? parts[0] : .concatenation(parts)
    }

    private mutating func parseProduct() throws(TemplateError) -> JinjaExpression {
        var left = try parsePower()
        while case .symbol(let symbol) = current, ["*", "/", "//", "%"].contains(symbol) {
            advance()
            try chain()
            left = .binary(symbol, left, try parsePower())
        }
        return left
    }

    private mutating func parsePower() throws(TemplateError) -> JinjaExpression {
        var left = try parseUnary(withFilters: true)
        while take("**") {
            try chain()
            left = .binary("**", left, try parseUnary(withFilters: true))
        }
        return left
    }

    private mutating func parseUnary(withFilters: Bool) throws(TemplateError) -> JinjaExpression {
        depth += 1
        defer { depth -= 1 }
        if depth > JinjaParser.depthLimit { throw .tooExpensive(what: "expressions are nested more than \(JinjaParser.depthLimit) deep") }
        var value: JinjaExpression
        if take("-") {
            value = .unary("-", try parseUnary(withFilters: false))
        } else if take("+") {
            value = .unary("+", try parseUnary(withFilters: false))
        } else {
            value = try parsePrimary()
        }
        value = try parsePostfix(value)
        return withFilters ? try parseFiltersAndTests(value) : value
    }

    private mutating func parsePrimary() throws(TemplateError) -> JinjaExpression {
        switch current {
        case .name(let name):
            advance()
            switch name {
            case "true", "True": return .bool(true)
            case "false", "False": return .bool(false)
            case "none", "None": return .none
            default:
                usedNames.insert(name)
                return .name(name)
            }
        case .string(var text):
            advance()
            while case .string(let more) = current {
                text += more
                advance()
            }
            return .string(text)
        case .integer(let value):
            advance()
            return .integer(value)
        case .number(let value):
            advance()
            return .number(value)
        case .symbol("("):
            advance()
            if take(")") { return .tuple([]) }
            var parts = [try parseExpression()]
            var isTuple = false
            while take(",") {
                isTuple = true
                if current == .symbol(")") { break }
                parts.append(try parseExpression())
            }
            try expect(")")
            return isTuple ? .tuple(parts) : parts[0]
        case .symbol("["):
            advance()
            var parts: [JinjaExpression] = []
            while current != .symbol("]") {
                parts.append(try parseExpression())
                if !take(",") { break }
            }
            try expect("]")
            return .list(parts)
        case .symbol("{"):
            advance()
            var pairs: [(key: JinjaExpression, value: JinjaExpression)] = []
            while current != .symbol("}") {
                let key = try parseExpression()
                try expect(":")
                pairs.append((key, try parseExpression()))
                if !take(",") { break }
            }
            try expect("}")
            return .dictionary(pairs)
        default: throw fail("expected a value, found \(describeCurrent())")
        }
    }

    private mutating func parsePostfix(_ start: JinjaExpression) throws(TemplateError) -> JinjaExpression {
        var value = start
        while true {
            try chain()
            if take(".") {
                if case .integer(let index) = current {
                    advance()
                    value = .item(value, .integer(index))
                } else {
                    value = .attribute(value, try expectName())
                }
            } else if take("[") {
                value = try parseSubscript(value)
            } else if current == .symbol("(") {
                value = .call(value, try parseArguments())
            } else {
                return value
            }
        }
    }

    private mutating func parseSubscript(_ value: JinjaExpression) throws(TemplateError) -> JinjaExpression {
        var start: JinjaExpression?
        if current != .symbol(":") {
            let first = try parseExpression()
            if take("]") { return .item(value, first) }
            start = first
        }
        try expect(":")
        var stop: JinjaExpression?
        var step: JinjaExpression?
        if current != .symbol("]"), current != .symbol(":") { stop = try parseExpression() }
        if take(":"), current != .symbol("]") { step = try parseExpression() }
        try expect("]")
        return .slice(value, start: start, stop: stop, step: step)
    }

    mutating func parseArguments() throws(TemplateError) -> JinjaArguments {
        var arguments = JinjaArguments()
        try expect("(")
        while current != .symbol(")") {
            if take("**") {
                arguments.spreadNamed = try parseExpression()
            } else if take("*") {
                arguments.spread = try parseExpression()
            } else if case .name(let name) = current, position + 1 < tokens.count, tokens[position + 1].token == .symbol("=") {
                advance()
                advance()
                arguments.named.append((name, try parseExpression()))
            } else {
                arguments.positional.append(try parseExpression())
            }
            if !take(",") { break }
        }
        try expect(")")
        return arguments
    }

    private mutating func parseFiltersAndTests(_ start: JinjaExpression) throws(TemplateError) -> JinjaExpression {
        var value = start
        while true {
            try chain()
            if take("|") {
                let name = try expectName()
                value = .filter(value, name, current == .symbol("(") ? try parseArguments() : JinjaArguments())
            } else if takeName("is") {
                value = try parseTest(value)
            } else if current == .symbol("(") {
                value = .call(value, try parseArguments())
            } else {
                return value
            }
        }
    }

    private mutating func parseTest(_ value: JinjaExpression) throws(TemplateError) -> JinjaExpression {
        let negated = takeName("not")
        var name = try expectName()
        while take(".") { name += "." + (try expectName()) }
        var arguments = JinjaArguments()
        switch current {
        case .symbol("("): arguments = try parseArguments()
        case .name(let word) where ["else", "or", "and", "is", "if", "recursive"].contains(word): break
        case .name, .string, .integer, .number, .symbol("["), .symbol("{"):
            arguments.positional = [try parsePostfix(try parsePrimary())]
        default: break
        }
        return .test(value, name, arguments, negated: negated)
    }
}
