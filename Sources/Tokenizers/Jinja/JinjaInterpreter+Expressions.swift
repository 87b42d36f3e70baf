import Formats

extension JinjaInterpreter {
    func evaluate(_ arguments: JinjaArguments) throws(TemplateError) -> JinjaCallArguments {
        var result = JinjaCallArguments()
        for expression in arguments.positional { result.positional.append(try evaluate(expression)) }
        for (name, expression) in arguments.named { result.named.append((name, try evaluate(expression))) }
        if let spread = arguments.spread { result.positional += try items(of: try evaluate(spread)) }
        if let spread = arguments.spreadNamed {
            guard case .dictionary(let dictionary) = try evaluate(spread) else { throw fail("** needs a mapping") }
            try spendElements(dictionary.pairs.count * 30)
            var names = Set(result.named.map(\.name))
            for pair in dictionary.pairs {
                guard case .string(let name) = pair.key else { throw fail("** needs names, found \(pair.key.kindName)") }
                if !names.insert(name).inserted { throw fail("the value \(name) is given twice") }
                result.named.append((name, pair.value))
            }
        }
        return result
    }

    private func evaluate(_ expressions: [JinjaExpression]) throws(TemplateError) -> [JinjaValue] {
        var result: [JinjaValue] = []
        for expression in expressions { result.append(try evaluate(expression)) }
        return result
    }

    func evaluate(_ expression: JinjaExpression) throws(TemplateError) -> JinjaValue {
        try step()
        switch expression {
        case .string(let text): return .string(text)
        case .integer(let value): return .integer(value)
        case .bool(let value): return .bool(value)
        case .name(let name): return lookUp(name)
        case .number(let value): return .number(value)
        case .none: return .none
        case .list, .tuple, .dictionary, .unary, .binary, .and, .or, .comparison, .concatenation, .conditional, .attribute, .item, .slice, .call,
            .filter, .test:
            try enter()
            defer { leave() }
            return try evaluateNested(expression)
        }
    }

    private func evaluateNested(_ expression: JinjaExpression) throws(TemplateError) -> JinjaValue {
        switch expression {
        case .string, .integer, .number, .bool, .none, .name: return try evaluate(expression)
        case .list(let parts): return try checked(.list(try evaluate(parts)))
        case .tuple(let parts): return try checked(.tuple(try evaluate(parts)))
        case .dictionary(let pairs):
            var dictionary = JinjaDictionary()
            for pair in pairs {
                let key = try evaluate(pair.key)
                if JinjaKey(key) == nil { throw fail("\(key.kindName) cannot be a key") }
                dictionary[key] = try evaluate(pair.value)
            }
            return try checked(.dictionary(dictionary))
        case .unary(let symbol, let operand): return try unary(symbol, try evaluate(operand))
        case .binary(let symbol, let left, let right): return try binary(symbol, try evaluate(left), try evaluate(right))
        case .and(let left, let right):
            let value = try evaluate(left)
            return value.isTrue ? try evaluate(right) : value
        case .or(let left, let right):
            let value = try evaluate(left)
            return value.isTrue ? value : try evaluate(right)
        case .comparison(let first, let rest):
            var left = try evaluate(first)
            for (symbol, operand) in rest {
                let right = try evaluate(operand)
                if !(try compare(symbol, left, right)) { return .bool(false) }
                left = right
            }
            return .bool(true)
        case .concatenation(let parts):
            var text = ""
            for part in parts {
                let next = try self.text(of: try evaluate(part))
                try charge(next.utf8.count)
                text += next
            }
            return .string(text)
        case .conditional(let value, let test, let otherwise):
            if try evaluate(test).isTrue { return try evaluate(value) }
            return try otherwise.map { (other) throws(TemplateError) in try evaluate(other) } ?? .undefined("the value of an if without else")
        case .attribute(let object, let name): return try attribute(of: try evaluate(object), name)
        case .item(let object, let key): return try item(of: try evaluate(object), try evaluate(key))
        case .slice(let object, let start, let stop, let step):
            return try slice(try evaluate(object), try bound(start), try bound(stop), try bound(step))
        case .call(let callee, let arguments):
            let function = try evaluate(callee)
            return try call(function, try evaluate(arguments))
        case .filter(let value, let name, let arguments):
            return try applyFilter(name, try evaluate(value), try evaluate(arguments))
        case .test(let value, let name, let arguments, let negated):
            return .bool(try applyTest(name, try evaluate(value), try evaluate(arguments)) != negated)
        }
    }

    private func checked(_ value: JinjaValue) throws(TemplateError) -> JinjaValue {
        try checkDepth(value)
        return value
    }

    private func bound(_ expression: JinjaExpression?) throws(TemplateError) -> Int? {
        guard let expression else { return nil }
        let value = try evaluate(expression)
        if case .none = value { return nil }
        guard let integer = value.integer else { throw fail("a slice needs integers, found \(value.kindName)") }
        return Int(integer)
    }

    private func unary(_ symbol: String, _ value: JinjaValue) throws(TemplateError) -> JinjaValue {
        if symbol == "not" { return .bool(!value.isTrue) }
        if let integer = value.integer {
            guard symbol == "-" else { return .integer(integer) }
            let (result, overflow) = Int64(0).subtractingReportingOverflow(integer)
            if overflow { throw fail("a number is too large") }
            return .integer(result)
        }
        guard let number = value.double else { throw fail("\(symbol) needs a number, found \(value.kindName)") }
        return .number(symbol == "-" ? -number : number)
    }

    private func binary(_ symbol: String, _ left: JinjaValue, _ right: JinjaValue) throws(TemplateError) -> JinjaValue {
        switch (symbol, left, right) {
        case ("+", .string(let a), .string(let b)):
            try charge(a.utf8.count + b.utf8.count)
            return .string(a + b)
        case ("+", .list(let a), .list(let b)):
            try chargeElements(a.count + b.count)
            return .list(a + b)
        case ("+", .tuple(let a), .tuple(let b)):
            try chargeElements(a.count + b.count)
            return .tuple(a + b)
        case ("*", .string(let text), let count), ("*", let count, .string(let text)):
            guard let count = count.integer else { break }
            let times = max(0, min(count, 1 << 31))
            try charge(text.utf8.count.multipliedReportingOverflow(by: Int(times)).overflow ? .max : text.utf8.count * Int(times))
            return .string(String(repeating: text, count: Int(times)))
        case ("*", .list(let values), let count), ("*", let count, .list(let values)):
            guard let count = count.integer else { break }
            return .list(try repeated(values, count))
        case ("*", .tuple(let values), let count), ("*", let count, .tuple(let values)):
            guard let count = count.integer else { break }
            return .tuple(try repeated(values, count))
        case ("%", .string(let format), _): return .string(try JinjaFormat.percent(format, right, self))
        default: break
        }
        if let a = left.integer, let b = right.integer, symbol != "/" { return try integerArithmetic(symbol, a, b) }
        guard let a = left.double, let b = right.double else {
            throw fail("\(left.kindName) \(symbol) \(right.kindName) has no meaning")
        }
        switch symbol {
        case "+": return .number(a + b)
        case "-": return .number(a - b)
        case "*": return .number(a * b)
        case "**": return .number(JinjaNumbers.power(a, b))
        default: break
        }
        if b == 0 { throw fail("division by zero") }
        switch symbol {
        case "/": return .number(a / b)
        case "//": return .number((a / b).rounded(.down))
        default: return .number(a - (a / b).rounded(.down) * b)
        }
    }

    private func repeated(_ values: [JinjaValue], _ count: Int64) throws(TemplateError) -> [JinjaValue] {
        let times = Int(max(0, min(count, 1 << 31)))
        try chargeElements(values.count.multipliedReportingOverflow(by: times).overflow ? .max : values.count * times)
        return (0..<times).flatMap { _ in values }
    }

    private func integerArithmetic(_ symbol: String, _ a: Int64, _ b: Int64) throws(TemplateError) -> JinjaValue {
        let result: (partialValue: Int64, overflow: Bool)
        switch symbol {
        case "+": result = a.addingReportingOverflow(b)
        case "-": result = a.subtractingReportingOverflow(b)
        case "*": result = a.multipliedReportingOverflow(by: b)
        case "**":
            if b < 0 { return .number(JinjaNumbers.power(Double(a), Double(b))) }
            var value: Int64 = 1
            var overflow = false
            for _ in 0..<min(b, 64) where !overflow { (value, overflow) = value.multipliedReportingOverflow(by: a) }
            if b > 64, a != 0, a != 1 { overflow = true }
            result = (value, overflow)
        default:
            if b == 0 { throw fail("division by zero") }
            if b == -1 { return symbol == "//" ? try unary("-", .integer(a)) : .integer(0) }
            let quotient = a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0)
            return .integer(symbol == "//" ? quotient : a - quotient * b)
        }
        if result.overflow { throw fail("a number is too large") }
        return .integer(result.partialValue)
    }

    private func compare(_ symbol: String, _ left: JinjaValue, _ right: JinjaValue) throws(TemplateError) -> Bool {
        try spendComparing(left, right)
        switch symbol {
        case "==": return JinjaValue.equal(left, right)
        case "!=": return !JinjaValue.equal(left, right)
        case "in": return try contains(right, left)
        case "not in": return !(try contains(right, left))
        default: break
        }
        guard let order = JinjaValue.order(left, right) else {
            throw fail("\(left.kindName) and \(right.kindName) cannot be compared with \(symbol)")
        }
        switch symbol {
        case "<": return order < 0
        case ">": return order > 0
        case "<=": return order <= 0
        default: return order >= 0
        }
    }

    private func spendComparing(_ left: JinjaValue, _ right: JinjaValue) throws(TemplateError) {
        if case .string(let left) = left, case .string(let right) = right { return try spend(min(left.utf8.count, right.utf8.count)) }
        try spendWeight(left)
        try spendWeight(right)
    }

    /// Charges for going through a value and all that is in it, as comparing and sorting do, so many times.
    func spendWeight(_ value: JinjaValue, times: Int = 1) throws(TemplateError) {
        switch value {
        case .string(let text): try spend((text.utf8.count + 16) * times)
        case .list(let values), .tuple(let values):
            try spendElements(values.count * times)
            for value in values { try spendWeight(value, times: times) }
        case .dictionary(let dictionary):
            try spendElements(dictionary.pairs.count * 2 * times)
            for pair in dictionary.pairs {
                try spendWeight(pair.key, times: times)
                try spendWeight(pair.value, times: times)
            }
        case .view(let view): for value in view.elements { try spendWeight(value, times: times) }
        case .undefined, .none, .bool, .integer, .number, .generator, .namespace, .loop, .function: try spend(16 * times)
        }
    }

    func contains(_ container: JinjaValue, _ value: JinjaValue) throws(TemplateError) -> Bool {
        switch container {
        case .string(let text):
            guard case .string(let wanted) = value else { throw fail("in a string only a string can be found, not \(value.kindName)") }
            try spend(text.utf8.count * 4)
            return TextSearch.contains(text, wanted)
        case .list(let values), .tuple(let values):
            try spendElements(values.count)
            return values.contains { JinjaValue.equal($0, value) }
        case .view(let view):
            try spendElements(view.elements.count)
            return view.elements.contains { JinjaValue.equal($0, value) }
        case .generator(let generator):
            while let next = generator.next() { if JinjaValue.equal(next, value) { return true } }
            return false
        case .dictionary(let dictionary): return dictionary[value] != nil
        case .undefined: return false
        case .none, .bool, .integer, .number, .namespace, .loop, .function: throw fail("nothing can be in \(container.kindName)")
        }
    }

    /// `object.name`: a method first, then a key.
    func attribute(of object: JinjaValue, _ name: String) throws(TemplateError) -> JinjaValue {
        if case .undefined(let missing) = object { throw fail("'\(missing)' is undefined, so it has no \(name)") }
        if case .namespace(let space) = object { return space[name] ?? .undefined(name) }
        if case .loop(let loop) = object { return loop[name] ?? .undefined(name) }
        if name.utf8.first == 0x5F, case .dictionary(let dictionary) = object, let value = dictionary[.string(name)] { return value }
        if case .function(let function) = object, let macro = function.macro {
            switch name {
            case "name": return .string(macro.name)
            case "arguments": return .tuple(macro.parameters.map { .string($0.name) })
            case "catch_kwargs": return .bool(macro.usesNamedArguments)
            case "catch_varargs": return .bool(macro.usesVariableArguments)
            case "caller": return .bool(macro.usesCaller)
            default: break
            }
        }
        if name.utf8.first == 0x5F { return .undefined(name) }
        if JinjaMethods.isHidden(name, of: object) { return .undefined("\(name), which would change a value in place,") }
        if let method = JinjaMethods.method(name, of: object) { return .function(method) }
        if case .dictionary(let dictionary) = object { return dictionary[.string(name)] ?? .undefined(name) }
        return .undefined(name)
    }

    /// `object[key]`: a key or position first, then a method.
    func item(of object: JinjaValue, _ key: JinjaValue) throws(TemplateError) -> JinjaValue {
        switch object {
        case .undefined(let missing): throw fail("'\(missing)' is undefined, so it has no items")
        case .dictionary(let dictionary):
            if let value = dictionary[key] { return value }
        case .list(let values), .tuple(let values):
            if let index = key.integer { return JinjaInterpreter.element(values, index) ?? .undefined("element \(index)") }
        case .string(let text):
            if let index = key.integer {
                try spend(text.utf8.count * 2)
                let scalars = text.unicodeScalars
                let count = Int64(scalars.count)
                let place = index < 0 ? index &+ count : index
                guard place >= 0, place < count else { return .undefined("character \(index)") }
                return .string(String(Character(scalars[scalars.index(scalars.startIndex, offsetBy: Int(place))])))
            }
        case .view(let view):
            if case .range = view.kind, let index = key.integer {
                return JinjaInterpreter.element(view.elements, index) ?? .undefined("element \(index)")
            }
        case .none, .bool, .integer, .number, .generator, .namespace, .loop, .function: break
        }
        guard case .string(let name) = key else { return .undefined(try text(of: key)) }
        return try attribute(of: object, name)
    }

    private static func element(_ values: [JinjaValue], _ index: Int64) -> JinjaValue? {
        let place = index < 0 ? index &+ Int64(values.count) : index
        return place >= 0 && place < Int64(values.count) ? values[Int(place)] : nil
    }

    private func slice(_ object: JinjaValue, _ start: Int?, _ stop: Int?, _ step: Int?) throws(TemplateError) -> JinjaValue {
        let stride = step ?? 1
        if stride == 0 { throw fail("a slice's step cannot be 0") }
        let isString: Bool
        let values: [JinjaValue]
        switch object {
        case .list(let list): (isString, values) = (false, list)
        case .tuple(let list): (isString, values) = (false, list)
        case .string(let text):
            if let part = try slicedForward(text, start, stop, stride) { return .string(part) }
            (isString, values) = (true, try items(of: object))
        case .view(let view):
            guard case .range = view.kind else { throw fail("\(object.kindName) cannot be sliced") }
            (isString, values) = (false, view.elements)
        default: throw fail("\(object.kindName) cannot be sliced")
        }
        let count = values.count
        func clamp(_ index: Int?, _ missing: Int) -> Int {
            guard let index else { return missing }
            let place = index < 0 ? (index < -count ? -1 : index + count) : index
            return stride > 0 ? max(0, min(place, count)) : max(-1, min(place, count - 1))
        }
        var place = clamp(start, stride > 0 ? 0 : count - 1)
        let end = clamp(stop, stride > 0 ? count : -1)
        var result: [JinjaValue] = []
        while stride > 0 ? place < end : place > end {
            result.append(values[place])
            let (next, overflow) = place.addingReportingOverflow(stride)
            if overflow { break }
            place = next
        }
        try chargeElements(result.count)
        if isString { return .string(result.map(\.text).joined()) }
        if case .tuple = object { return .tuple(result) }
        return .list(result)
    }

    /// A stretch of a text without taking it apart.
    private func slicedForward(_ text: String, _ start: Int?, _ stop: Int?, _ stride: Int) throws(TemplateError) -> String? {
        guard stride == 1 else { return nil }
        try spend(text.utf8.count * 8)
        let scalars = text.unicodeScalars
        let count = scalars.count
        func clamp(_ index: Int?, _ missing: Int) -> Int {
            guard let index else { return missing }
            return index < 0 ? (index < -count ? 0 : index + count) : min(index, count)
        }
        let (from, to) = (clamp(start, 0), clamp(stop, count))
        guard from < to else { return "" }
        let first = scalars.index(scalars.startIndex, offsetBy: from)
        return String(scalars[first..<scalars.index(first, offsetBy: to - from)])
    }
}
