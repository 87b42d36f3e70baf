extension JinjaInterpreter {
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
            case .none, .bool, .integer, .number, .namespace, .loop, .function: return false
            }
        case "iterable":
            switch value {
            case .string, .list, .tuple, .dictionary, .undefined: return true
            case .none, .bool, .integer, .number, .namespace, .loop, .function: return false
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
            case .undefined, .none, .string, .list, .tuple, .dictionary, .namespace, .loop, .function: return false
            }
        case "callable":
            if case .function = value { return true }
            return false
        case "lower": return value.text == value.text.lowercased()
        case "upper": return value.text == value.text.uppercased()
        case "escaped": return false
        case "odd", "even":
            guard let integer = value.integer else { throw fail("\(name) needs an integer, found \(value.kindName)") }
            return (integer % 2 != 0) == (name == "odd")
        default: return try applyComparisonTest(name, value, arguments)
        }
    }

    private func applyComparisonTest(_ name: String, _ value: JinjaValue, _ arguments: JinjaCallArguments) throws(TemplateError) -> Bool {
        guard let other = arguments.positional.first else {
            if ["in", "eq", "equalto", "ne", "gt", "ge", "lt", "le", "divisibleby", "sameas", "filter", "test"].contains(name) {
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
