import Formats
import Platform
import Testing

@testable import Configuration

@Suite struct WritingTests {
    /// A random value that the argument allows, with hostile text where text is free.
    private func randomText(_ argument: Argument, _ random: inout RandomGenerator) -> String {
        let words = ["a", "it's", "two words", "ü 漢字", "a:b", "$HOME", "`x`", "--dash", "-1", "#", "", "yes", "1e-4", "\"q\"", "back\\slash", "!t", "x\ny"]
        let bounds = argument.bounds ?? ArgumentBounds(minimum: -1000, maximum: 1000)
        let low = bounds.minimum ?? -1000
        let high = bounds.maximum ?? low + 1000
        switch argument.kind {
        case .flag: return random.uniform() < 0.5 ? "true" : "false"
        case .integer: return String(Int(low) + (bounds.isAboveMinimum ? 1 : 0) + random.index(below: Int(high - low)))
        case .number:
            let value = low + (high - low) * random.uniform()
            return NumberText.pythonFloat(bounds.contains(value) ? value : (low + high) / 2)
        case .choice: return argument.choices[random.index(below: argument.choices.count)]
        case .text: return words[random.index(below: words.count)]
        case .list: return (0..<random.index(below: 4)).map { _ in ["q_proj", "a b", "x'y", "漢", "--z"][random.index(below: 5)] }.joined(separator: ",")
        case .numbers: return (0..<random.index(below: 4)).map { _ in NumberText.pythonFloat(random.uniform()) }.joined(separator: ",")
        case .mapping: return random.uniform() < 0.3 ? "" : #"{"num_cycles": 2, "text": "it's \"so\"", "list": [1, 2.5, null]}"#
        }
    }

    private func randomConfiguration(_ random: inout RandomGenerator) throws -> Configuration {
        var configuration = Configuration()
        for argument in ArgumentTable.all where !argument.isSecret && random.uniform() < 0.2 {
            try configuration.set(argument.name, text: randomText(argument, &random))
        }
        return configuration
    }

    @Test func theCommandGivesTheSameConfigurationAgain() throws {
        var random = RandomGenerator(seed: 7)
        for _ in 0..<200 {
            let configuration = try randomConfiguration(&random)
            let words = Array(configuration.arguments(style: .full).dropFirst(2))
            #expect(try Configuration.load(file: nil, overrides: words) == configuration)
        }
    }

    @Test func theCommandWithARecipeGivesTheSameConfigurationAgain() throws {
        let directory = try FileSystem.createTemporaryDirectory()
        defer { try? FileSystem.removeTree(directory) }
        let path = Path.join(directory, "a recipe.yaml")
        var random = RandomGenerator(seed: 8)
        for _ in 0..<100 {
            try FileSystem.writeAtomically(path, text: try randomConfiguration(&random).yaml())
            var configuration = try Configuration.load(file: path)
            for argument in ArgumentTable.all where !argument.isSecret && random.uniform() < 0.1 {
                if random.uniform() < 0.3 { configuration.reset(argument.name) } else {
                    try configuration.set(argument.name, text: randomText(argument, &random))
                }
            }
            let words = configuration.arguments()
            #expect(words[2] == path)
            #expect(try Configuration.load(file: path, overrides: Array(words.dropFirst(3))) == configuration)
        }
    }

    @Test func theShellReadsTheQuotedCommandBackWordByWord() throws {
        var random = RandomGenerator(seed: 9)
        for isMultiline in [false, true] {
            let configuration = try randomConfiguration(&random)
            let line = configuration.commandLine(style: .full, isMultiline: isMultiline)
            let script = "tuneboard() { for word in \"$@\"; do printf '%s\\0' \"$word\"; done; }\n" + line
            let (ending, output) = try ProcessRunner.run(["sh", "-c", script])
            #expect(ending == .exited(0))
            let words = output.split(separator: 0, omittingEmptySubsequences: false).dropLast().map { String(decoding: $0, as: UTF8.self) }
            #expect(words == Array(configuration.arguments(style: .full).dropFirst()))
        }
    }

    @Test func yamlGivesTheSameConfigurationAgain() throws {
        var random = RandomGenerator(seed: 10)
        for _ in 0..<200 {
            let configuration = try randomConfiguration(&random)
            let text = configuration.yaml()
            let again = try Configuration.parse(text, name: "again.yaml")
            #expect(again == configuration, "\(text)")
            #expect(again.yaml() == text)
            #expect(try Configuration.parse(configuration.completeYAML(for: .train), name: "complete.yaml") == configuration)
        }
    }

    @Test func theShortestCommandNamesOnlyWhatDiffers() throws {
        var configuration = try Configuration.parse("learning_rate: 1e-4\nlora_rank: 8\nplot_loss: true\n", name: "r.yaml")
        configuration.becomeRecipe(path: "my recipe.yaml")
        try configuration.set("learning_rate", text: "5e-5")
        configuration.reset("plot_loss")
        #expect(configuration.commandLine() == "tuneboard train 'my recipe.yaml' --learning_rate 5e-05 --plot_loss false")
        #expect(configuration.commandLine(style: .full) == "tuneboard train")
    }

    @Test func secretsAreNotWritten() throws {
        var configuration = Configuration()
        try configuration.set("hub_token", text: "very-secret")
        #expect(!configuration.yaml().contains("very-secret"))
        #expect(!configuration.commandLine(style: .full).contains("very-secret"))
    }
}
