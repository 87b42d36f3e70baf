import Configuration
import Events
import Platform
import Terminal
import Testing

@testable import Board
import Datasets
import Models
import Runs
import Tokenizers
import Training

/// The board's words: every sentence in the sources has its translation in every language.
@Suite struct LanguageTests {
    private static let spoken = Language.allCases.filter { $0 != .english }
    private static let sources = Path.join(Path.directory(Path.directory(Path.directory(#filePath))), "Sources")

    /// The keys of every `say("...")` in a source, interpolations as numbered places.
    static func keys(in source: String) -> Set<String> {
        var keys: Set<String> = []
        let bytes = Array(source.utf8)
        let marks = ["say(\"", "board(\""].map { Array($0.utf8) }
        var index = 0
        while index < bytes.count {
            guard let mark = marks.first(where: { bytes[index...].starts(with: $0) }), index == 0 || !isLetter(bytes[index - 1]) else {
                index += 1
                continue
            }
            var position = index + mark.count
            if let key = literal(bytes, &position) { keys.insert(key) }
            // Interpolations may hold sentences of their own.
            index += mark.count
        }
        return keys.filter { key in key.contains { $0.isLetter } }
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) >= 97 && (byte | 0x20) <= 122 || byte == UInt8(ascii: ".") }

    /// The text of a literal after its opening quote, and the place after the closing one.
    private static func literal(_ bytes: [UInt8], _ position: inout Int) -> String? {
        var text: [UInt8] = []
        var count = 0
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            if byte == UInt8(ascii: "\"") { return String(decoding: text, as: UTF8.self) }
            guard byte == UInt8(ascii: "\\"), position < bytes.count else {
                text.append(byte)
                continue
            }
            let next = bytes[position]
            position += 1
            if next == UInt8(ascii: "(") {
                skipInterpolation(bytes, &position)
                count += 1
                text += Array("{\(count)}".utf8)
            } else {
                text.append(next == UInt8(ascii: "n") ? 0x0A : next)
            }
        }
        return nil
    }

    private static func skipInterpolation(_ bytes: [UInt8], _ position: inout Int) {
        var depth = 1
        while position < bytes.count, depth > 0 {
            let byte = bytes[position]
            position += 1
            if byte == UInt8(ascii: "(") { depth += 1 }
            if byte == UInt8(ascii: ")") { depth -= 1 }
            if byte == UInt8(ascii: "\"") { _ = literal(bytes, &position) }
        }
    }

    /// The sentences among the literals of a source of the argument table; literals joined by + are one.
    static func sentences(in source: String) -> Set<String> {
        var sentences: Set<String> = []
        for piece in literals(in: Array(source.utf8)) where piece.contains(" ") && (piece.hasSuffix(".") || piece.hasSuffix("?")) {
            sentences.insert(piece.trimmingSpaces)
        }
        return sentences
    }

    private static func literals(in bytes: [UInt8]) -> [String] {
        var found: [String] = []
        var index = 0
        var joins = false
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "/"), index + 1 < bytes.count, bytes[index + 1] == byte {
                while index < bytes.count, bytes[index] != UInt8(ascii: "\n") { index += 1 }
                continue
            }
            index += 1
            guard byte == UInt8(ascii: "\"") else {
                let isSpace = byte == 0x20 || byte == 0x0A
                joins = byte == UInt8(ascii: "+") || joins && isSpace
                continue
            }
            guard let text = literal(bytes, &index) else { break }
            if joins, let last = found.popLast() {
                let places = LanguageFile.places(in: last).count
                found.append(last + renumbered(text, from: places))
            } else {
                found.append(text)
            }
            joins = false
        }
        return found
    }

    private static func renumbered(_ text: String, from count: Int) -> String {
        var result = text
        for place in LanguageFile.places(in: text).sorted(by: >) { result = result.replacing("{\(place)}", with: "{\(place + count)}") }
        return result
    }

    private static func swiftFiles(_ folder: String) throws -> [String] {
        try FileSystem.list(folder).flatMap { name -> [String] in
            let path = Path.join(folder, name)
            if FileSystem.isDirectory(path) { return name == "Languages" ? [] : try swiftFiles(path) }
            return name.hasSuffix(".swift") ? [path] : []
        }
    }

    /// Everything that must be translated: sentences in the sources, and the words of the tables.
    private static func demanded() throws -> Set<String> {
        var keys: Set<String> = []
        let files = try swiftFiles(Path.join(sources, "Board")) + [Path.join(sources, "tuneboard/Commands/PlainBoard.swift")]
        for file in files { keys.formUnion(Self.keys(in: try FileSystem.readText(file))) }
        for command in CommandTable.all {
            keys.insert(command.title.hasPrefix("Go to ") ? "Go to {1}" : command.title)
            if let label = command.label { keys.insert(label) }
            for context in command.contexts { keys.insert(context.title) }
        }
        keys.formUnion(Tab.allCases.map(\.title))
        for tab in Tab.allCases { keys.formUnion(FormLayout.layout(for: tab).sections.map(\.title)) }
        keys.formUnion(LaunchStyle.allCases.map(\.title).filter { $0 != "YAML" })
        keys.formUnion(JobState.allCases.map(\.word))
        keys.formUnion(JobKind.allCases.map(\.activity))
        for tab in Tab.allCases {
            for name in FormLayout.layout(for: tab).sections.flatMap(\.arguments) { keys.formUnion(["field:" + name, "help:" + name]) }
        }
        for name in ["Configuration+Validation", "Configuration+Notices", "Configuration+MethodRules", "Configuration+OptimizerRules", "ArgumentError", "Argument+Making", "Table/MethodArguments"] {
            let source = try FileSystem.readText(Path.join(sources, "Configuration/\(name).swift"))
            // A broken file as a whole is none of a form's problems, and the table's help texts have keys of their own.
            let told = Self.sentences(in: source).filter { !$0.hasPrefix("{1}: ") && (!name.hasPrefix("Table") || $0.hasPrefix("Only with")) }
            keys.formUnion(told.map { "engine:" + $0 })
        }
        for argument in ArgumentTable.all where argument.kind != .choice { keys.insert(argument.kind.phrase) }
        // The program's own name stays.
        keys.formUnion(ArgumentGroup.allCases.map(\.title).filter { $0 != "Tuneboard" })
        keys.formUnion(["true or false", "true, false or null"])
        return keys.filter { key in key.contains { $0.isLetter } }
    }

    @Test func `problems of a form and what may be written speak the board's language`() throws {
        var configuration = BoardFixture.training
        try configuration.set("save_strategy", text: "best")
        Wording.$current.withValue(Wording(.chinese)) {
            let words = configuration.validate(for: .train).map(\.words)
            #expect(words.contains("save_strategy best 需要评估：请把 eval_strategy 设为 steps 或 epoch。"), "\(words)")
            let rank = ArgumentTable.argument(named: "lora_rank")
            #expect(rank?.allowedWords == "整数，至少 1 且至多 65536")
            #expect(say(engine: "lora_rank is \"0\"; it must be \(rank?.allowed ?? "").", about: rank) == "lora_rank 是 \"0\"；必须是整数，至少 1 且至多 65536。")
            #expect(say(engine: "stage is \"sfft\"; it must be one of pt, sft. Did you mean sft?") == "stage 是 \"sfft\"；必须是以下之一：pt, sft。 是否指 sft？")
            #expect(say(engine: "galore_rank has no effect. Only with use_galore.") == "galore_rank 不起作用。需设置 use_galore。")
            #expect(say(engine: "A sentence that nobody knows.") == "A sentence that nobody knows.")
        }
    }

    @Test func `what a job found is told in the board's language`() {
        Wording.$current.withValue(Wording(.russian)) {
            #expect(say(engine: "3 answers: bleu-4 1.00, rouge-1 2.00, in saves/a.") == "Ответов: 3: bleu-4 1.00, rouge-1 2.00, в saves/a.")
            #expect(say(engine: "eval_loss 1.5000, eval_perplexity 4.4817, in saves/a.") == "eval_loss 1.5000, eval_perplexity 4.4817, в saves/a.")
            #expect(say(engine: "2 tensors have rows that are no whole number of blocks and take another type (a.weight: F16).").hasPrefix("У 2 тензоров"))
        }
    }

    /// What keeps a job from starting, as the engine tells those who meet it most.
    private static let refusals: [any Error] = [
        RunError.busy(job: "train"), RunError.directoryInUse(path: "saves/a", processIdentifier: 7), RunError.cannotPrepare(path: "saves/a", reason: "x"),
        RunError.missingStep(argument: "model_name_or_path", path: "saves/a", command: "x"),
        TrainingError.outputDirectoryNotEmpty(path: "saves/a", found: "x"), TrainingError.outputDirectoryForeign(path: "saves/a", found: "x"),
        TrainingError.outputDirectoryIsSource(path: "saves/a", argument: "adapter_name_or_path", source: "saves/b"),
        TrainingError.outputDirectoryNotWritable(path: "saves/a", reason: "x"),
        TrainingError.noCheckpoint(directory: "saves/a"), TrainingError.brokenCheckpoint(path: "saves/a", file: "f", reason: "x"),
        TrainingError.checkpointMismatch(path: "saves/a", what: "lora_rank", expected: "8", found: "4"),
        TrainingError.noTrainingSamples(reason: "no sample is left of dataset saves/a."),
        TrainingError.unsuitable(
            argument: "auto_find_batch_size", value: "saves/a",
            reason: "even one sample at a time needs 3.0 GiB, and 1.0 GiB are free. Lower cutoff_len, set gradient_checkpointing: true, or "
                + "quantise the base with quantization_bit: 4."),
        TrainingError.notFinite(step: 3, what: "the loss", origin: "saves/a"), TrainingError.notEnoughDisk(path: "saves/a", needed: 2, free: 1),
        DatasetError.noDataset(argument: "saves/a"), DatasetError.unknownDataset(name: "d", infoPath: "saves/a", known: []),
        DatasetError.unknownDataset(name: "d", infoPath: "saves/a", known: ["identity"]), DatasetError.missingFile(dataset: "d", path: "saves/a"),
        DatasetError.nothingUsable(dataset: "saves/a", rows: 0, problems: []), DatasetError.badEntry(name: "d", infoPath: "saves/a", reason: "x"),
        ModelError.notAModelFolder(path: "saves/a", reason: "there is no such folder"),
        ModelError.notAModelFolder(path: "saves/a", reason: "there is no config.json in it"),
        ModelError.unknownArchitecture(file: "saves/a", found: "mamba", known: ["llama"]),
        ModelError.missingTensor(file: "saves/a", tensor: "t", expected: [2, 3], also: 0),
        TokenizerError.missingFile(path: "saves/a"), TemplateError.unknownName("saves/a", nearest: nil), TemplateError.unknownName("saves/a", nearest: "chatml"),
        TemplateError.noOwnTemplate(directory: "saves/a"),
    ]

    @Test(arguments: spoken) func `what keeps a job from starting is told in the board's language`(_ language: Language) throws {
        let adapter = #expect(throws: ModelError.self) { try AdapterFile.configuration("saves/a") }
        Wording.$current.withValue(Wording(language)) {
            for error in Self.refusals + [adapter].compactMap({ $0 }) {
                let english = String(describing: error)
                let words = say(engine: english)
                #expect(words.contains("saves/a") || !english.contains("saves/a"), "\(words)")
                // Names of arguments and files stay; no English sentence does.
                let hasSentence = ["there is", "Choose", "choose", "Give", " are ", " is ", "Name ", "Set "].contains { words.contains($0) }
                #expect(words != english && !hasSentence, "\(words)")
            }
        }
    }

    @Test(arguments: spoken) func `no language lacks a sentence`(_ language: Language) throws {
        let wording = Wording(language)
        let missing = try Self.demanded().filter { wording.translation(of: $0) == nil }.sorted()
        #expect(missing == [], "\(language.name) lacks \(missing.count)")
    }

    @Test(arguments: spoken) func `translations name the places of their sentences, no more and no fewer`(_ language: Language) throws {
        let parsed = LanguageFile.parse(language.builtIn, file: language.rawValue)
        #expect(parsed.problems == [])
        for (key, value) in parsed.table {
            #expect(LanguageFile.places(in: key) == LanguageFile.places(in: value), "\(key) = \(value)")
            #expect(!value.isEmpty)
            #expect(TextWidth.sanitize(value) == value)
        }
    }

    @Test func `the scanner of this test reads interpolations and nested texts`() {
        let source = #"say("a \(f("x)", 1)) b \(c)") + say("\(d ? say("inner") : "e")") + say("\"q\"")"#
        #expect(Self.keys(in: source) == ["a {1} b {2}", "inner", "\"q\""])
    }

    @Test func `the language switches at once, for drawing and for what is said`() {
        var state = BoardFixture.state(columns: 80, rows: 24)
        state.wording = Wording(.chinese)
        var text = GoldenFrames.lines(state).joined(separator: "\n")
        #expect(text.contains("1 训练") && text.contains("对话模板"))
        state.press("alt+l")
        #expect(state.wording.language == .russian)
        text = GoldenFrames.lines(state).joined(separator: "\n")
        #expect(text.contains("Обучение"))
        state.press("alt+l alt+l alt+l")
        #expect(state.wording.language == .english)
        state.press("ctrl+y")
        #expect(say("none") == "none")
    }

    @Test(arguments: spoken) func `every page keeps its widths`(_ language: Language) {
        for size in GoldenFrames.sizes {
            var state = BoardFixture.state(columns: size.columns, rows: size.rows)
            state.wording = Wording(language)
            for keys in ["1", "2", "3", "4", "5", "?", "escape", "1 v", "escape q"] {
                state.press(keys)
                for line in GoldenFrames.lines(state) { #expect(TextWidth.width(of: line) <= size.columns, "\(language) \(keys): \(line)") }
            }
        }
    }

    @Test func `mistakes in a language file are told and the English stays`() throws {
        let text = """
            # mine
            "Start" = "Los!"
            "Train" "no equals"
            "{1} errors" = "{2} Fehler"
            nonsense
            "Quit" = "Schluss
            """
        let (table, problems) = LanguageFile.parse(text, file: "zh.lang")
        #expect(table == ["Start": "Los!"])
        #expect(problems.map(\.line) == [3, 4, 5, 6])

        let folder = try FileSystem.createTemporaryDirectory(prefix: "lang-")
        defer { try? FileSystem.removeTree(folder) }
        try FileSystem.writeAtomically(Path.join(folder, "zh.lang"), text: text)
        let wording = Wording(.chinese, userFolder: folder)
        #expect(wording.translation(of: "Start") == "Los!")
        #expect(wording.translation(of: "Train") == "训练")
        #expect(wording.problems.count == 4)
    }

    @Test(arguments: [("zh_CN.UTF-8", Language.chinese), ("ja", .japanese), ("C.UTF-8", .english), ("de_DE", .english), ("ru_RU.KOI8-R", .russian)])
    func `the environment says which language`(_ locale: String, _ language: Language) {
        #expect(Language.fromEnvironment { $0 == "LANG" ? locale : nil } == language)
        #expect(Language.fromEnvironment { ["LC_ALL": "ko_KR", "LANG": locale][$0] } == .korean)
    }
}
