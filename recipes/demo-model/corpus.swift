// Writes the corpus of the embedded demo model: short chats in English and Chinese that a few million parameters can learn.
//
//     swiftc -O recipes/demo-model/*.swift -o /tmp/corpus && /tmp/corpus 40000 > corpus.jsonl
//
// Every line is one conversation in the ShareGPT layout. The same count and seed always give the same file. A third of the
// conversations are about names that are made up on the spot: a model that has learnt to use any name it is told can later
// be taught a new one by a small adapter, although its embeddings stay frozen.

/// One turn's question and answer.
struct Exchange {
    let question: String
    let answer: String
}

/// SplitMix64: small, seeded, the same on every machine.
struct Dice {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
    mutating func between(_ low: Int, _ high: Int) -> Int { low + below(high - low + 1) }
    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
    mutating func pick<Element>(_ choices: [Element]) -> Element { choices[below(choices.count)] }

    /// Neighbouring elements from a random start, wrapping around: a list that never names a thing twice is easy to learn.
    mutating func run<Element>(of count: Int, in choices: [Element]) -> [Element] {
        let start = below(choices.count)
        return (0..<count).map { choices[(start + $0) % choices.count] }
    }
}

/// One conversation: an optional system prompt and its turns.
struct Conversation {
    var system: String?
    var turns: [Exchange]

    var json: String {
        var messages: [String] = []
        if let system { messages.append(message(from: "system", system)) }
        for turn in turns {
            messages.append(message(from: "human", turn.question))
            messages.append(message(from: "gpt", turn.answer))
        }
        return "{\"conversations\": [" + messages.joined(separator: ", ") + "]}"
    }

    private func message(from role: String, _ text: String) -> String {
        var escaped = ""
        for character in text {
            switch character {
            case "\"": escaped += "\\\""
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            default: escaped.append(character)
            }
        }
        return "{\"from\": \"\(role)\", \"value\": \"\(escaped)\"}"
    }
}

@main
struct Corpus {
    static func main() {
        let arguments = CommandLine.arguments
        let count = arguments.count > 1 ? Int(arguments[1]) ?? 40_000 : 40_000
        let seed = arguments.count > 2 ? UInt64(arguments[2]) ?? 7 : 7
        var dice = Dice(seed: seed)
        for _ in 0..<count {
            print(conversation(&dice).json)
        }
    }

    /// A third about names, the rest from the topics; one in six has a second or third turn.
    static func conversation(_ dice: inout Dice) -> Conversation {
        if dice.chance(34) { return Names.conversation(&dice) }
        var turns = [Topics.exchange(&dice)]
        while turns.count < 3, dice.chance(16) {
            turns.append(Topics.exchange(&dice))
        }
        return Conversation(system: dice.chance(8) ? dice.pick(Topics.plainSystems) : nil, turns: turns)
    }
}
