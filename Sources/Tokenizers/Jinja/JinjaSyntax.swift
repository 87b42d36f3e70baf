/// The tree of a template.
indirect enum JinjaExpression: Sendable {
    case string(String)
    case integer(Int64)
    case number(Double)
    case bool(Bool)
    case none
    case name(String)
    case list([JinjaExpression])
    case tuple([JinjaExpression])
    case dictionary([(key: JinjaExpression, value: JinjaExpression)])
    case unary(String, JinjaExpression)
    case binary(String, JinjaExpression, JinjaExpression)
    case and(JinjaExpression, JinjaExpression)
    case or(JinjaExpression, JinjaExpression)
    /// `a < b <= c`
    case comparison(JinjaExpression, [(String, JinjaExpression)])
    case concatenation([JinjaExpression])
    case conditional(JinjaExpression, test: JinjaExpression, otherwise: JinjaExpression?)
    case attribute(JinjaExpression, String)
    case item(JinjaExpression, JinjaExpression)
    case slice(JinjaExpression, start: JinjaExpression?, stop: JinjaExpression?, step: JinjaExpression?)
    case call(JinjaExpression, JinjaArguments)
    case filter(JinjaExpression, String, JinjaArguments)
    case test(JinjaExpression, String, JinjaArguments, negated: Bool)
}

struct JinjaArguments: Sendable {
    var positional: [JinjaExpression] = []
    var named: [(name: String, value: JinjaExpression)] = []
    /// `*values`
    var spread: JinjaExpression?
    /// `**mapping`
    var spreadNamed: JinjaExpression?
}

/// What a `for` or `set` assigns to.
indirect enum JinjaTarget: Sendable {
    case name(String)
    case attribute(String, String)
    case tuple([JinjaTarget])
}

struct JinjaMacro: Sendable {
    var name: String
    var parameters: [(name: String, value: JinjaExpression?)]
    var body: [JinjaStatement] = []
    /// True when the body asks for what else was given: only then may there be more.
    var usesVariableArguments = false
    var usesNamedArguments = false
    var usesCaller = false
}

struct JinjaForLoop: Sendable {
    var target: JinjaTarget
    var sequence: JinjaExpression
    var filter: JinjaExpression?
    var body: [JinjaStatement]
    var otherwise: [JinjaStatement]
    var isRecursive: Bool
}

struct JinjaStatement: Sendable {
    indirect enum Kind: Sendable {
        case text(String)
        case output(JinjaExpression)
        case condition([(test: JinjaExpression, body: [JinjaStatement])], otherwise: [JinjaStatement])
        case loop(JinjaForLoop)
        case set(JinjaTarget, JinjaExpression)
        case setBlock(JinjaTarget, [JinjaStatement], filters: [(String, JinjaArguments)])
        case macro(JinjaMacro)
        case call(JinjaMacro, JinjaExpression)
        case filterBlock([(String, JinjaArguments)], [JinjaStatement])
        case with([(JinjaTarget, JinjaExpression)], [JinjaStatement])
        case block([JinjaStatement])
        /// include, import, from and extends: nothing is ever read, so running into one is an error.
        case otherFile(String)
        /// The part that the assistant wrote (`{% generation %}`).
        case generation([JinjaStatement])
        case breakLoop
        case continueLoop
        case expression(JinjaExpression)
    }

    var kind: Kind
    var line: Int
}
