import Testing

@testable import Configuration

@Suite struct TableTests {
    @Test func everyNameIsThereOnce() {
        var seen: Set<String> = []
        for argument in ArgumentTable.all { #expect(seen.insert(argument.name).inserted, "\(argument.name) is declared twice") }
        #expect(seen.count > 330)
    }

    @Test func everyArgumentHasAHelpSentenceAndACommand() {
        for argument in ArgumentTable.all {
            #expect(argument.help.hasSuffix("."), "\(argument.name): help is not a sentence")
            #expect(!argument.commands.isEmpty, "\(argument.name) belongs to no command")
        }
    }

    @Test func everyDefaultIsAllowed() throws {
        for argument in ArgumentTable.all {
            if case .null = argument.defaultValue {
                #expect(argument.isNullable)
            } else {
                #expect(try argument.read(argument.defaultText) == argument.defaultValue, "\(argument.name)")
            }
        }
    }

    @Test func valuesWithLessSupportAreChoices() {
        for argument in ArgumentTable.all {
            for value in argument.valueSupport.keys { #expect(argument.choices.contains(value), "\(argument.name): \(value)") }
        }
    }

    @Test func conditionsNameArgumentsThatExist() {
        let configuration = Configuration()
        for argument in ArgumentTable.all {
            guard let reason = argument.applies(configuration) else { continue }
            let name = reason.split(separator: " ").dropFirst(2).first.map { $0.filter { $0 != "." } } ?? ""
            #expect(ArgumentTable.argument(named: name) != nil, "\(argument.name): \(reason)")
        }
    }

    @Test func typedNamesAgreeWithTheTable() {
        let configuration = Configuration()
        #expect(configuration[.learningRate] == 5e-5)
        #expect(configuration[.loraTarget] == ["all"])
        #expect(configuration[.loraAlpha] == nil)
        #expect(configuration[.packing] == nil)
        #expect(configuration[.stage] == "sft")
        #expect(configuration[.interleaveProbs] == [])
        #expect(configuration[.enableThinking] == true)
        #expect(configuration[.numTrainEpochs] == 3)
    }

    @Test func formerNamesLeadToPresentOnes() {
        for (name, fate) in FormerNames.table {
            #expect(ArgumentTable.argument(named: name) == nil, "\(name) is still an argument")
            switch fate {
            case .renamed(let new): #expect(ArgumentTable.argument(named: new) != nil, "\(name) leads to \(new)")
            case .became(let new, let value):
                #expect((try? ArgumentTable.argument(named: new)?.read(value)) != nil, "\(name) leads to \(new): \(value)")
            case .dropped(let reason): #expect(reason.hasSuffix("."))
            }
        }
    }

    @Test(arguments: [60, 80, 120, 200]) func helpFitsTheWidth(width: Int) {
        for command in [Command.train, .evaluate, .chat, .export] {
            for line in HelpText.arguments(of: command, width: width).split(separator: "\n") {
                #expect(line.count <= width || !line.contains(" ") || line.hasPrefix("  --"), "\(line)")
            }
        }
    }

    @Test func helpNamesEveryArgumentOfItsCommand() {
        let text = HelpText.arguments(of: .train, width: 100)
        for argument in ArgumentTable.arguments(of: .train) { #expect(text.contains(argument.name)) }
    }

    @Test func completionScriptsNameTheOptions() {
        for shell in Completion.Shell.allCases {
            let script = Completion.script(for: shell)
            #expect(script.contains("learning_rate"))
            #expect(script.contains("warmup_stable_decay"))
        }
    }
}
