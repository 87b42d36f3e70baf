/// Macros and call blocks.
extension JinjaInterpreter {
    /// A macro as a value. It sees the names of the place where it is written, whoever calls it.
    func function(_ macro: JinjaMacro) -> JinjaFunction {
        let outside = captureScopes()
        return JinjaFunction(macro.name, macro: macro) { (interpreter, arguments) throws(TemplateError) in
            try interpreter.callMacro(macro, arguments, outside)
        }
    }

    /// `{% call(x) macro(...) %}...{% endcall %}`
    func runCall(_ caller: JinjaMacro, _ expression: JinjaExpression) throws(TemplateError) {
        guard case .call(let callee, let arguments) = expression else { throw fail("a call block needs a call") }
        var evaluated = try evaluate(arguments)
        evaluated.named.append(("caller", .function(function(caller))))
        try write(try text(of: try call(try evaluate(callee), evaluated)))
    }

    private func callMacro(
        _ macro: JinjaMacro, _ arguments: JinjaCallArguments, _ outside: [JinjaScope]
    ) throws(TemplateError) -> JinjaValue {
        if arguments.positional.count > macro.parameters.count, !macro.usesVariableArguments {
            throw fail("the macro \(macro.name) takes not more than \(macro.parameters.count) values, found \(arguments.positional.count)")
        }
        // Each parameter is looked for among the names, and each name among the parameters.
        try spendElements((arguments.named.count + 1) * (macro.parameters.count + 1))
        let saved = (scopes, output)
        scopes = outside + [JinjaScope()]
        output = ""
        defer { (scopes, output) = saved }
        for (index, parameter) in macro.parameters.enumerated() {
            if index < arguments.positional.count {
                assign(parameter.name, arguments.positional[index])
            } else if let given = arguments.named.first(where: { $0.name == parameter.name }) {
                assign(parameter.name, given.value)
            } else if let value = parameter.value {
                assign(parameter.name, try evaluate(value))
            } else {
                assign(parameter.name, .undefined(parameter.name))
            }
        }
        let others = arguments.named.filter { given in
            !macro.parameters.dropFirst(arguments.positional.count).contains { $0.name == given.name }
        }
        let unknown = others.filter { $0.name != "caller" || !macro.usesCaller }
        if let first = unknown.first, !macro.usesNamedArguments { throw fail("the macro \(macro.name) takes no value named \(first.name)") }
        if macro.usesVariableArguments { assign("varargs", .tuple(Array(arguments.positional.dropFirst(macro.parameters.count)))) }
        if macro.usesNamedArguments { assign("kwargs", .dictionary(JinjaDictionary(unknown.map { (.string($0.name), $0.value) }))) }
        if macro.usesCaller, !macro.parameters.contains(where: { $0.name == "caller" }) {
            assign("caller", others.first { $0.name == "caller" }?.value ?? .undefined("caller"))
        }
        _ = try run(macro.body)
        return .string(output)
    }
}
