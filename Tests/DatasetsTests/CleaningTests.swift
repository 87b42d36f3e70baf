import Formats
import Platform
import Testing

@testable import Datasets

/// Rules that leave rows out, masks, and what a text is measured by.
@Suite struct CleaningTests {
    private func clean(
        _ rows: [String], _ rules: [(String, String)], masks: Set<PersonalDatum> = [], columns: [String] = [], name: String = "a.jsonl",
        output: String = "out.jsonl", perplexities: (([String]) throws -> [Double])? = nil
    ) throws -> (report: RowReport, text: String) {
        try Fixtures.temporary { directory in
            let source = try Fixtures.write(rows.joined(separator: "\n"), to: directory, name)
            var cleaner = RowCleaner(sources: [source])
            cleaner.rules = rules.map { (name: $0.0, value: $0.1) }
            cleaner.masks = masks
            cleaner.columns = columns
            cleaner.perplexities = perplexities
            let target = Path.join(directory, output)
            let report = try cleaner.run(output: target)
            return (report, try FileSystem.readText(target))
        }
    }

    private static func row(_ text: String) -> String { JSONValue.object(["instruction": "q", "output": .string(text)]).text(style: .python) }

    @Test("Words are what spaces part in Latin script, and single characters in Chinese and Japanese", arguments: [
        ("Hello, world!", 2, 12, 2), ("don't e-mail 3.14", 3, 15, 3), ("你好，世界！", 4, 6, 2), ("用 Python 写 3 行代码。", 7, 13, 1), ("こんにちは", 5, 5, 0),
        ("안녕하세요 세계", 2, 7, 0), ("", 0, 0, 0), (" \n\t", 0, 0, 0), ("🙂🙂", 0, 2, 2), ("ＡＢＣ　１２", 2, 5, 0),
    ])
    func countsWords(text: String, words: Int, characters: Int, symbols: Int) {
        let measure = TextMeasure(text)
        #expect(measure.words.count == words && measure.characters == characters && measure.symbols == symbols)
    }

    @Test("Languages are told by script and by common words; a text too short to tell is of every language of its script", arguments: [
        ("The cat is on the table and it was not there before.", ["en"]), ("Der Hund und die Katze sind nicht im Haus.", ["de"]),
        ("Le chat est dans la maison et il ne veut pas sortir.", ["fr"]), ("El perro no está en la casa porque se fue con los niños.", ["es"]),
        ("今天天气很好，我们去公园吧。", ["zh"]), ("今日はとても天気がいいですね。", ["ja"]), ("오늘은 날씨가 아주 좋습니다", ["ko"]),
        ("Сегодня очень хорошая погода", ["ru"]), ("Сьогодні дуже гарна погода і сонце", ["uk"]), ("مرحبا بالعالم", ["ar"]), ("שלום עולם", ["he"]),
        ("请用编程语言写一个函数：def f(x): return x", ["zh"]), ("12345 !!!", []),
    ])
    func guessesLanguages(text: String, expected: [String]) {
        #expect(LanguageGuess(TextMeasure(text)).candidates == expected)
        #expect(LanguageGuess(TextMeasure("Xyzzy")).candidates.contains("en") && !LanguageGuess(TextMeasure("Xyzzy")).candidates.contains("zh"))
    }

    @Test("Each rule takes the rows that it is for, counts them and shows examples; the others stay as they were, to the byte", arguments: [
        ("min_words", "3", "one two", "one two three"), ("max_words", "4", "你好世界吗", "你好世界"),
        ("min_characters", "5", "a b c d", "abcde"), ("max_characters", "5", "abcdef", "a b c d e"),
        ("languages", "zh,ja", "The cat is on the table and it is a cat.", "今天天气很好"),
        ("max_symbol_ratio", "0.4", "a!!!@@@###$$$", "a fine sentence."),
        ("max_repetition", "0.3", "buy now at our shop buy now at our shop buy now at our shop", "every word of this sentence is new to the reader of it"),
        ("drop_keywords", "casino,赌博", "Win at the CASINO now", "Casinos are buildings"), ("drop_keywords", "casino,赌博", "网上赌博", "网上学习"),
        ("keep_keywords", "swift", "Python is fine", "I write Swift."),
    ])
    func rulesTakeTheirRows(rule: String, value: String, bad: String, good: String) throws {
        // The question is a word of its own: only the answer counts here.
        let kept = #"{"instruction":   "q", "output": \#(JSONValue.string(good).text())}"#
        let (report, text) = try clean([Self.row(bad), kept, Self.row(bad)], [(rule, value)], columns: ["output"])
        #expect(report.read == 3 && report.kept == 1 && report.changed == 0)
        #expect(report.taken.map(\.rule) == [rule] && report.taken.first?.count == 2)
        #expect(report.taken.first?.examples.first?.contains("a.jsonl, row 1 (line 1): ") == true)
        #expect(text == kept + "\n")
    }

    @Test("Personal data are masked by their form and check digit, and nothing else is", arguments: [
        ("Write to jane.doe+x@mail.example.org.", "Write to [EMAIL]."), ("a@b is no address, nor is @home", "a@b is no address, nor is @home"),
        ("电话13812345678，谢谢", "电话[PHONE]，谢谢"), ("+86 138-1234-5678", "[PHONE]"), ("call (212) 555-0187 now", "call [PHONE] now"),
        ("座机 010-62751234", "座机 [PHONE]"), ("+44 20 7946 0958", "[PHONE]"), ("in 2023 there were 13812 of 345678", "in 2023 there were 13812 of 345678"),
        ("11010519491231002X", "[IDENTITY]"), ("身份证号110105194912310021", "身份证号110105194912310021"),
        ("card 4111 1111 1111 1111 ok", "card [CARD] ok"), ("4111111111111112", "4111111111111112"),
        ("ping 192.168.0.1, version 1.2.3.4.5 or 300.1.1.1", "ping [ADDRESS], version 1.2.3.4.5 or 300.1.1.1"),
        ("x12345678901 and 3.14159265358979", "x12345678901 and 3.14159265358979"), ("2023 13812345678", "2023 [PHONE]"), ("", ""),
    ])
    func masks(text: String, expected: String) {
        #expect((PersonalDatum.masked(text, Set(PersonalDatum.allCases)) ?? text) == expected)
    }

    @Test("Numbers that are written as a telephone number or a card are masked", arguments: [
        "13812345678", "138 1234 5678", "138-1234-5678", "+86 13812345678", "86 13812345678", "8613812345678", "86-138-1234-5678", "+8613812345678",
        "010-62751234", "(010)62751234", "0755-8675309", "(212) 555-0187", "212-555-0187", "+1 212 555 0187", "+34 612 345 678", "+33 1 23 45 67 89",
        "4111111111111111", "4111-1111-1111-1111", "4111 1111 1111 1111", "3782 822463 10005", "378282246310005", "6200 0000 0000 0000 000", "4222222222222",
    ])
    func masksNumbers(text: String) {
        for around in [("", ""), ("tel ", "."), ("：", "，"), ("(", ")")] {
            let found = PersonalDatum.masked(around.0 + text + around.1, [.phone, .card])
            #expect(found == around.0 + "[PHONE]" + around.1 || found == around.0 + "[CARD]" + around.1, "\(found ?? "nothing")")
        }
    }

    @Test("Other numbers, and rows of numbers, stay", arguments: [
        "1380 0000 000", "13 81 23 45 678", "138 12345678", "138-1234 5678", "1381 234 5678", "12812345678", "1381234567", "138123456789",
        "3.13812345678", "13812345678.5", "1-138-1234-5678", "138-1234-5678-9", "0 10 62751234", "300 400 5000", "212-155-0187", "010 62751234",
        "4111 1111 1111 1112", "4111 1111-1111 1111", "41 11 11 11 11 11 11 11", "411 111 111 111 111 1", "4111 111111111111", "0.4111111111111111",
        "9111111111111111", "6200 0000 0000 00", "1990 2000 2010 2020 2030", "+12345678", "+0123456789012", "2024-01-15 12:30:45", "1,380,000,0000",
    ])
    func sparesNumbers(text: String) {
        #expect(PersonalDatum.masked("x \(text) y", [.phone, .card]) == nil)
    }

    @Test("Masked rows are written anew, and only the texts of the chosen columns")
    func masksRows() throws {
        let source = #"{"conversations": [{"from": "human", "value": "I am a@b.cc"}, {"from": "gpt", "value": "ok"}], "id": "x@y.zz"}"#
        let (report, text) = try clean([source], [], masks: [.email])
        #expect(report.changed == 1 && report.kept == 1)
        #expect(text == #"{"conversations": [{"from": "human", "value": "I am [EMAIL]"}, {"from": "gpt", "value": "ok"}], "id": "x@y.zz"}"# + "\n")
    }

    @Test("A model's perplexities are asked for rows that other rules left, and decide by their limit")
    func asksTheModel() throws {
        var asked: [String] = []
        let (report, text) = try clean(
            [Self.row("short"), Self.row("a text that is plain"), Self.row("a text that is odd")], [("min_words", "3"), ("max_perplexity", "20")],
            columns: ["output"]
        ) { texts in
            asked += texts
            return texts.map { $0.contains("odd") ? 90.5 : 10 }
        }
        #expect(asked == ["a text that is plain", "a text that is odd"])
        #expect(report.taken.map(\.rule) == ["min_words", "max_perplexity"] && report.taken.last?.examples.first?.contains("90.5") == true)
        #expect(text == Self.row("a text that is plain") + "\n")
    }

    @Test("Lists, lines, csv and text are read, lists and lines written; broken rows are named and left out")
    func formats() throws {
        let list = "[\n  {\"text\": \"one two\"},\n  {\n \"text\": \"three\\nfour five\"}\n]"
        #expect(try clean([list], [("min_words", "2")], name: "a.json").text == "{\"text\": \"one two\"}\n{\"text\": \"three\\nfour five\"}\n")
        let written = try clean([list], [("min_words", "3")], name: "a.json", output: "b.json")
        #expect(try JSONValue.parse(written.text) == [["text": "three\nfour five"]])
        #expect(try clean(["q,a", "x,\"one, two\"", "y,z"], [("min_words", "3")], name: "a.csv").text == "{\"q\": \"x\", \"a\": \"one, two\"}\n")
        #expect(try clean(["one two", "three"], [("min_words", "2")], name: "a.txt").text == "{\"text\": \"one two\"}\n")
        let broken = try clean([Self.row("one two"), "{\"output\": ", Self.row("one two three")], [("min_words", "2")])
        #expect(broken.report.read == 3 && broken.report.kept == 2 && broken.report.taken.map(\.rule) == ["unreadable"])
        #expect(try clean([], [("min_words", "2")]).text.isEmpty)
    }

    @Test("A source is never overwritten, whatever it is called, and wrong values are named")
    func refuses() throws {
        try Fixtures.temporary { directory in
            let source = try Fixtures.write(Self.row("one"), to: directory, "a.jsonl")
            var cleaner = RowCleaner(sources: [source])
            cleaner.rules = [("min_words", "9")]
            for output in [source, Path.join(directory, "./a.jsonl")] {
                let error = #expect(throws: DatasetError.self) { try cleaner.run(output: output) }
                #expect(error?.description.contains("never overwritten") == true)
            }
            cleaner.overwrites = true
            for output in ["missing/../a.jsonl", "dataset_info.json"] {
                #expect(throws: DatasetError.self) { try cleaner.run(output: Path.join(directory, output)) }
            }
            cleaner.overwrites = false
            #expect(try FileSystem.readText(source) == Self.row("one") && !FileSystem.exists(Path.join(directory, "missing")))
            // Nor a list of words, nor anything else unless that is wanted.
            let list = try Fixtures.write("one", to: directory, "words.jsonl")
            cleaner.rules = [("drop_keywords", "@" + list)]
            cleaner.overwrites = true
            #expect(throws: DatasetError.self) { try cleaner.run(output: list) }
            cleaner.overwrites = false
            let other = try Fixtures.write("precious", to: directory, "other.jsonl")
            #expect(throws: DatasetError.outputExists(path: other)) { try cleaner.run(output: other) }
            #expect(try FileSystem.readText(other) == "precious")
            #expect(try FileSystem.readText(list) == "one")
            cleaner.overwrites = true
            #expect(try cleaner.run(output: other).taken.first?.count == 1)
            #expect(try FileSystem.readText(other).isEmpty)
            try FileSystem.remove(other)
            try FileSystem.remove(list)
            cleaner.columns = ["output", "instrction"]
            let typo = #expect(throws: DatasetError.self) { try cleaner.run(output: nil) }
            #expect(typo?.description.contains("\"instrction\"; the rows have instruction, output") == true)
            cleaner.columns = []
            let error = #expect(throws: DatasetError.self) { try cleaner.run(output: Path.join(directory, "b.parquet")) }
            #expect(error?.description.contains(".jsonl") == true)
            for (rule, value) in [("min_words", "x"), ("max_symbol_ratio", "1.5"), ("languages", "klingon"), ("drop_keywords", "@/no/such/file"), ("max_perplexity", "0")] {
                cleaner.rules = [(rule, value)]
                let error = #expect(throws: DatasetError.self) { try cleaner.run(output: nil) }
                #expect(error != nil, "\(rule)")
            }
            #expect(try FileSystem.list(directory) == ["a.jsonl"])
        }
    }

    @Test("The outcome is the same however many threads look, over many portions")
    func threads() throws {
        try Fixtures.temporary { directory in
            let rows = (0..<10_000).map { Self.row(String(repeating: "word ", count: $0 % 7)) }
            let source = try Fixtures.write(rows.joined(separator: "\n"), to: directory, "a.jsonl")
            var texts: [String] = [], reports: [RowReport] = []
            for threads in [1, 3] {
                var cleaner = RowCleaner(sources: [source])
                cleaner.rules = [("min_words", "4")]
                cleaner.threads = threads
                cleaner.overwrites = true
                reports.append(try cleaner.run(output: Path.join(directory, "b.jsonl")))
                texts.append(try FileSystem.readText(Path.join(directory, "b.jsonl")))
            }
            #expect(texts[0] == texts[1] && reports[0] == reports[1] && reports[0].read == 10_000)
            #expect(reports[0].kept == rows.indices.count { $0 % 7 >= 3 })
        }
    }
}
