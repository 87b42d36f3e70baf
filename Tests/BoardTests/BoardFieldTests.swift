import Configuration
import Platform
import Terminal
import Testing

@testable import Board

/// LLaMA Board's pages, field by field, against the forms here.
@Suite struct BoardFieldTests {
    /// Tab and name of every input of LLaMA Board 0.9.5, as Tests/Fixtures/generate/board.py read them from its source.
    private static let fields: [(tab: String, name: String)] = {
        let folder = "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        let text = (try? FileSystem.readText(folder + "/Fixtures/board/llama_board_fields.tsv")) ?? ""
        return text.split(separator: "\n").dropFirst().compactMap { line in
            let parts = line.split(separator: "\t").map(String.init)
            return parts.count == 3 ? (parts[0], parts[1]) : nil
        }
    }()

    private static let pages: [String: [Tab]] = [
        "train": [.train], "eval": [.evaluate], "chat": [.chat], "export": [.export],
    ]

    /// The top of LLaMA Board's page belongs to all of its tabs. What only changes how training or loading computes has no row here
    /// where it changes nothing.
    private static func pages(of field: (tab: String, name: String), argument: String) -> [Tab] {
        guard field.tab == "top" else { return pages[field.tab] ?? [] }
        return [Tab.train, .evaluate, .chat, .export].filter { tab in
            ArgumentTable.argument(named: argument)?.commands.contains(tab.command) == true
        }
    }

    @Test func everyFieldOfLLaMABoardHasItsRow() {
        #expect(Self.fields.count > 110)
        for field in Self.fields {
            switch FieldAliases.place(of: field.name) {
            case .arguments(let arguments):
                for argument in arguments {
                    #expect(ArgumentTable.argument(named: argument) != nil, "\(field.tab).\(field.name): there is no argument \(argument)")
                }
                let shown = arguments.filter { argument in
                    let pages = Self.pages(of: field, argument: argument)
                    return !pages.isEmpty && pages.allSatisfy { tab in FormSections.allArguments(for: tab).contains { $0.name == argument } }
                }
                #expect(!shown.isEmpty, "\(field.tab).\(field.name) has no row on its page")
            case .command(let identifier):
                #expect(CommandTable.command(identifier) != nil, "\(field.tab).\(field.name): there is no command \(identifier)")
            case .pane(let name):
                #expect(["message", "tools", "transcript"].contains(name), "\(field.tab).\(field.name)")
            }
        }
    }

    /// The groups of LLaMA Board's Train page are sections of their own, under its names.
    @Test func itsGroupsAreSections() {
        let titles = FormSections.sections(for: .train).map(\.title)
        for group in ["Extra", "Freeze", "LoRA", "RLHF", "Multimodal", "GaLore", "APOLLO", "BAdam", "SwanLab"] {
            #expect(titles.contains(group))
        }
    }

    /// What the engine does not do says so in its row; nothing is taken silently.
    @Test func whatIsDoneElsewhereSaysWhy() {
        for tab in [Tab.train, .evaluate, .chat, .export] {
            for argument in FormSections.allArguments(for: tab) {
                if case .elsewhere(let reason) = argument.support { #expect(reason.hasSuffix("."), "\(argument.name): \(reason)") }
            }
        }
    }

    @Test(arguments: [("batch_size", "per_device_train_batch_size"), ("neftune_alpha", "neftune_noise_alpha"), ("booster", "flash_attn")])
    func theFilterFindsFieldsByTheirNamesThere(name: String, argument: String) {
        var state = BoardFixture.state(columns: 80, rows: 24)
        _ = state.startFilter()
        for letter in name { _ = update(&state, .key(Key(.character(letter)))) }
        let names = state.forms.train.rows.prefix(8).compactMap { row -> String? in
            if case .field(let field) = row { return field.name }
            return nil
        }
        #expect(names.contains(argument), "\(names)")
    }
}
