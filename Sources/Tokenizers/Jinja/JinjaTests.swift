extension JinjaInterpreter {
    /// Tests that there are, for the test `test`.
    static let testNames: Set<String> = [
        "odd", "even", "divisibleby", "defined", "undefined", "filter", "test", "none", "boolean", "false", "true", "integer", "float", "lower",
        "upper", "string", "mapping", "number", "sequence", "iterable", "callable", "sameas", "escaped", "in", "==", "eq", "equalto", "!=", "ne",
        ">", "gt", "greaterthan", "ge", ">=", "<", "lt", "lessthan", "<=", "le",
    ]

    /// `value is name(arguments)`
    func applyTest(_ name: String, _ value: JinjaValue, _ arguments: JinjaCallArguments) throws(TemplateError) -> Bool {
        switch name {
        case "defined": return !value.isUndefined
        case "undefined": return value.isUndefined
        case "none":
            if case .none = value { return true }
            return false
        case "string":
            if case .string = value { return true }
            return false
        case "mapping":
            if case .dictionary = value { return true }
            return false
        case "sequence":
            switch value {
            case .string, .list, .tuple, .dictionary, .undefined: return true
            case .view(let view):
                if case .range = view.kind { return true }
                return false
            case .none, .bool, .integer, .number, .generator, .namespace, .loop, .function: return false
            }
        case "iterable":
            switch value {
            case .string, .list, .tuple, .dictionary, .view, .generator, .undefined, .loop: return true
            case .none, .bool, .integer, .number, .namespace, .function: return false
            }
        case "boolean":
            if case .bool = value { return true }
            return false
        case "true":
            if case .bool(true) = value { return true }
            return false
        case "false":
            if case .bool(false) = value { return true }
            return false
        case "integer":
            if case .integer = value { return true }
            return false
        case "float":
            if case .number = value { return true }
            return false
        case "number":
            switch value {
            case .integer, .number, .bool: return true
            case .undefined, .none, .string, .list, .tuple, .dictionary, .view, .generator, .namespace, .loop, .function: return false
            }
        case "callable":
            switch value {
            // jinja2's undefined values have the method that makes things callable.
            case .function, .loop, .undefined: return true
            case .none, .bool, .integer, .number, .string, .list, .tuple, .dictionary, .view, .generator, .namespace: return false
            }
        case "lower": return JinjaText.isLower(try worked(value))
        case "upper": return JinjaText.isUpper(try worked(value))
        case "escaped": return false
        case "filter": return JinjaInterpreter.filterNames.contains(try text(of: value))
        case "test": return JinjaInterpreter.testNames.contains(try text(of: value))
        case "odd", "even":
            if let number = value.double, value.integer == nil {
                let rest = number - (number / 2).rounded(.down) * 2
                return rest == (name == "odd" ? 1 : 0)
            }
            guard let integer = value.integer else { throw fail("\(name) needs an integer, found \(value.kindName)") }
            return (integer % 2 != 0) == (name == "odd")
        default: return try applyComparisonTest(name, value, arguments)
        }
    }

    private func applyComparisonTest(_ name: String, _ value: JinjaValue, _ arguments: JinjaCallArguments) throws(TemplateError) -> Bool {
        guard let other = arguments.positional.first else {
            if ["in", "eq", "equalto", "ne", "gt", "ge", "lt", "le", "divisibleby", "sameas", "greaterthan", "lessthan"].contains(name) {
                throw fail("the test \(name) needs a value")
            }
            throw fail("the test \(name) is not known")
        }
        switch name {
        case "in": return try contains(other, value)
        case "eq", "equalto", "==": return JinjaValue.equal(value, other)
        case "ne", "!=": return !JinjaValue.equal(value, other)
        case "sameas": return JinjaValue.equal(value, other) && value.kindName == other.kindName
        case "divisibleby":
            guard let a = value.integer, let b = other.integer, b != 0 else { throw fail("divisibleby needs integers, not 0") }
            return b == -1 || a % b == 0
        case "gt", "greaterthan", ">", "ge", ">=", "lt", "lessthan", "<", "le", "<=":
            guard let order = JinjaValue.order(value, other) else { throw fail("\(value.kindName) and \(other.kindName) cannot be compared") }
            switch name {
            case "gt", "greaterthan", ">": return order > 0
            case "ge", ">=": return order >= 0
            case "lt", "lessthan", "<": return order < 0
            default: return order <= 0
            }
        default: throw fail("the test \(name) is not known")
        }
    }
}
