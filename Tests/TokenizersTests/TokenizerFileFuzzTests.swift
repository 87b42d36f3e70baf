import Formats
import Platform
import Testing

@testable import Tokenizers

/// Damaged tokenizer files end in an error or in a tokenizer that works, never in a trap, and soon.
/// `TUNEBOARD_FUZZ_ROUNDS=1000000 swift test -c release --filter TokenizerFileFuzzTests` asks for more rounds.
@Suite struct TokenizerFileFuzzTests {
    private static let rounds = Environment.value("TUNEBOARD_FUZZ_ROUNDS").flatMap { Int($0) } ?? 4000
    private static let text = "Hello, wörld 你好 <|end|> word\n  1234 don't ﬁ e\u{301} 👍 aab ab <sep>"

    private static let words = Array(
        ["\"", "{", "]", "null", "-1", "99999999999", "true", ":", "a", "\\u0061", "e999", "[", "}", ",", "{1000}", "(?:", "+)+", "Sequence"].map { Array($0.utf8) })

    private func mutated(_ source: [UInt8], _ random: inout RandomGenerator) -> [UInt8] {
        var bytes = source
        for _ in 0...random.index(below: 4) where !bytes.isEmpty {
            let place = random.index(below: bytes.count)
            switch random.index(below: 6) {
            case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
            case 1: bytes[place] ^= 1 << UInt8(random.index(below: 8))
            case 2: bytes.insert(contentsOf: Self.words[random.index(below: Self.words.count)], at: place)
            case 3: bytes.removeSubrange(place..<min(bytes.count, place + 1 + random.index(below: 40)))
            case 4: bytes.removeLast(random.index(below: min(bytes.count, 200)))
            default:
                let end = min(bytes.count, place + random.index(below: 40))
                bytes.insert(contentsOf: Array(bytes[place..<end]), at: random.index(below: bytes.count))
            }
        }
        return bytes
    }

    /// Encodes, decodes and streams.
    private func use(_ file: TokenizerFile, _ settings: TokenizerSettings) {
        guard let core = try? TokenizerCore(file: file, settings: settings, path: "mutated") else { return }
        var ids: [Int32] = []
        Array(Self.text.utf8).withUnsafeBufferPointer { core.encode($0, into: &ids) }
        _ = core.decode(ids + [-1, 1 << 30], skipSpecialTokens: false)
        var owed: [UInt8] = []
        var bytes: [UInt8] = []
        for id in ids { _ = core.appendDecodedBytes(of: id, isFirst: bytes.isEmpty, after: &owed, to: &bytes) }
    }

    /// One small tokenizer.json for each type of model, with every kind of part in one of them.
    static let small: [String] = {
        let added = #""added_tokens":[{"id":20,"content":"<|end|>","special":true,"lstrip":true,"rstrip":false,"single_word":false,"normalized":false},{"id":21,"content":"word","special":false,"single_word":true,"normalized":true}]"#
        let normalizer = #""normalizer":{"type":"Sequence","normalizers":[{"type":"NFKC"},{"type":"Nmt"},{"type":"Lowercase"},{"type":"Strip","strip_left":true,"strip_right":true},{"type":"StripAccents"},{"type":"Replace","pattern":{"Regex":"(a|b)+?[0-9]{2,}"},"content":"9"},{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"},{"type":"Precompiled","precompiled_charsmap":"DAAAAAAEAAAABAAAAAQAAGEA"}]}"#
        let pieces = #""pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true},{"type":"Digits","individual_digits":true},{"type":"Punctuation","behavior":"Isolated"},{"type":"Split","pattern":{"Regex":"\\s+(?!\\S)|[^\\s\\p{L}]+|(?i:x|y)"},"behavior":"MergedWithPrevious","invert":false},{"type":"CharDelimiterSplit","delimiter":"b"},{"type":"FixedLength","length":5}]}"#
        let post = #""post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":{"<s>":{"id":"<s>","ids":[1],"tokens":["<s>"]}}}"#
        let decoder = #""decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}"#
        let pairs = #""model":{"type":"BPE","dropout":null,"unk_token":"<unk>","continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":true,"byte_fallback":true,"ignore_merges":false,"vocab":{"<unk>":0,"<s>":1,"a":2,"b":3,"▁":4,"l":5,"o":6,"ab":7,"aab":8,"ll":9,"llo":10,"▁a":11,"<0x0A>":12,"你":13,"好":14,"你好":15},"merges":[["a","b"],["a","ab"],["l","l"],["ll","o"],"▁ a",["你","好"]]}"#
        let single = #""model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0.0],["▁",-2.5],["a",-3],["ab",-3.5],["l",-4],["lo",-4.25],["你好",-5e0]],"byte_fallback":false}"#
        let wordPiece = ###""model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":100,"vocab":{"[UNK]":0,"he":1,"##l":2,"##lo":3,"你":4,"don":5,"'":6,"t":7}}"###
        let level = #""model":{"type":"WordLevel","vocab":{"<unk>":0,"hello":1,"你好":2},"unk_token":"<unk>"}"#
        let bert = ###""normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true},"pre_tokenizer":{"type":"BertPreTokenizer"},"post_processor":{"type":"BertProcessing","sep":["[SEP]",2],"cls":["[CLS]",1]},"decoder":{"type":"WordPiece","prefix":"##","cleanup":true}"###
        let bytes = #""normalizer":{"type":"NFC"},"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\p{N}{1,3}|[^\\r\\n]?\\p{L}+|\\s+"},"behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]},"post_processor":{"type":"ByteLevel"},"decoder":{"type":"ByteLevel"},"model":{"type":"BPE","vocab":{"H":0,"e":1,"l":2,"o":3,"Ġ":4,"ä":5,"½":6,"ł":7,"ll":8,"ä½":9,"Ġw":10,"w":11,"llo":12},"merges":["l l","ä ½","Ġ w","ll o"]}"#
        return [
            "{\(added),\(normalizer),\(pieces),\(post),\(decoder),\(pairs)}", "{\(added),\(normalizer),\(pieces),\(post),\(decoder),\(single)}",
            "{\(added),\(bert),\(wordPiece)}", "{\(added),\"pre_tokenizer\":{\"type\":\"Whitespace\"},\"decoder\":{\"type\":\"BPEDecoder\",\"suffix\":\"</w>\"},\(level)}",
            "{\(added),\(bytes)}",
        ]
    }()

    @Test("Every small tokenizer that is damaged below is sound to begin with")
    func startsSound() throws {
        for source in Self.small {
            let bytes = Array(source.utf8)
            let file = try bytes.withUnsafeBytes { try TokenizerFile(bytes: $0, path: "small") }
            let core = try TokenizerCore(file: file, settings: TokenizerSettings(), path: "small")
            var ids: [Int32] = []
            Array(Self.text.utf8).withUnsafeBufferPointer { core.encode($0, into: &ids) }
            #expect(!ids.isEmpty)
        }
    }

    @Test("Damaged tokenizer.json files of every type are read or refused, and what is read works")
    func survivesDamagedFiles() throws {
        var random = RandomGenerator(seed: 5)
        var sources = Self.small.map { Array($0.utf8) }
        let settings = TokenizerSettings()
        let published = try ["kinds/t5", "kinds/bert", "kinds/gemma", "qwen2"].map { try FileSystem.readBytes(Fixtures.path("\($0)/tokenizer.json")) }
        let smallCount = sources.count
        sources += published
        var slowest = 0.0
        var readCount = 0
        for round in 0..<Self.rounds {
            // The large ones, seldom.
            let index = round % 250 == 0 ? smallCount + round / 250 % published.count : round % smallCount
            let bytes = mutated(sources[index], &random)
            let started = Clock.threadSeconds()
            if let file = bytes.withUnsafeBytes({ try? TokenizerFile(bytes: $0, path: "mutated") }) {
                readCount += 1
                use(file, settings)
            }
            slowest = max(slowest, Clock.threadSeconds() - started)
        }
        #expect(slowest < 5, "one took \(slowest) s")
        #expect(readCount > Self.rounds / 40, "only \(readCount) could be read")
    }

    @Test("Damaged tokenizer.model files are read or refused, and what is read works")
    func survivesDamagedPieces() throws {
        var random = RandomGenerator(seed: 8)
        let sources = try ["pair", "single", "bytes", "suffix"].map { try FileSystem.readBytes(Fixtures.path("kinds/piece-\($0)/tokenizer.model")) }
        var slowest = 0.0
        for round in 0..<Self.rounds / 4 {
            let source = sources[round % sources.count]
            // The rules stand at the end, the pieces before them.
            let cut = round % 3 == 0 ? 0 : max(0, source.count - 600)
            let bytes = Array(source[..<cut]) + mutated(Array(source[cut...]), &random)
            let started = Clock.threadSeconds()
            var settings = TokenizerSettings()
            if round % 5 == 0 { settings.className = "ChatGLMTokenizer" }
            if let file = bytes.withUnsafeBytes({ try? TokenizerSource.model($0, path: "mutated", settings: &settings) }) { use(file, settings) }
            slowest = max(slowest, Clock.threadSeconds() - started)
        }
        #expect(slowest < 5, "one took \(slowest) s")
    }

    @Test("What is wrong is said with the file and the place")
    func namesThePlace() throws {
        let bad: [(String, String)] = [
            (#"{"model":{"type":"BPE","vocab":{"a":0,"b":0},"merges":[]}}"#, "\"b\" is listed twice"),
            (#"{"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}}"#, "model.vocab[\"a\"]"),
            (#"{"model":{"type":"BPE","vocab":{"a":99999999999},"merges":[]}}"#, "model.vocab[\"a\"]"),
            (#"{"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}}"#, "model.merges[0]"),
            (#"{"model":{"type":"BPE","vocab":{"a":0},"merges":[["a"]]}}"#, "model.merges[0]"),
            (#"{"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"],"vocab":{"a":0,"b":1}}}"#, "model.merges[0]"),
            (#"{"model":{"type":"Unigram","unk_id":7,"vocab":[["a",0]]}}"#, "model.unk_id"),
            (#"{"model":{"type":"Unigram","unk_id":0,"vocab":[["a",0],["a",1]]}}"#, "\"a\" is listed twice"),
            (#"{"model":{"type":"Markov","vocab":{"a":0}}}"#, "model.type"),
            (#"{"normalizer":{"type":"Precompiled","precompiled_charsmap":"////"},"model":{"type":"WordLevel","vocab":{"a":0}}}"#, "precompiled_charsmap"),
            (#"{"pre_tokenizer":{"type":"Split","pattern":{"Regex":"(a"},"behavior":"Isolated"},"model":{"type":"WordLevel","vocab":{"a":0}}}"#, "pre_tokenizer.pattern"),
            (#"{"decoder":{"type":"Sequence","decoders":[{"type":"What"}]},"model":{"type":"WordLevel","vocab":{"a":0}}}"#, "decoder.decoders[0].type"),
            (#"{"added_tokens":[{"content":"x"}],"model":{"type":"WordLevel","vocab":{"a":0}}}"#, "added_tokens[0].id"),
        ]
        for (source, place) in bad {
            let bytes = Array(source.utf8)
            do {
                _ = try bytes.withUnsafeBytes { try TokenizerFile(bytes: $0, path: "model/tokenizer.json") }
                Issue.record("\(source) was read")
            } catch {
                let sentence = String(describing: error)
                #expect(sentence.contains("model/tokenizer.json") && sentence.contains(place), "\(sentence)")
            }
        }
        let cut: [UInt8] = [0x0A, 0x7F, 0x0A, 0x01]
        #expect(throws: TokenizerError.self) { try cut.withUnsafeBytes { _ = try SentencePieceFile(bytes: $0, path: "tokenizer.model") } }
    }

    @Test("The members of a model may come in any order, and its texts with escapes or without")
    func readsMembersInAnyOrder() throws {
        let members = [
            #""type":"BPE""#, ###""continuing_subword_prefix":"##""###, #""unk_token":"?""#,
            ###""vocab":{"?":0,"a":1,"##b":2,"ab":3,"\u0023#\u0063":4,"\u0061bc":5,"##bc":6}"###,
            ###""merges":["a ##b",["ab","##c"],"##b ##c"]"###,
        ]
        for turn in 0..<members.count {
            for reversed in [false, true] {
                let order = members[turn...] + members[..<turn]
                let text = "{\"model\":{" + (reversed ? Array(order.reversed()) : Array(order)).joined(separator: ",") + "}}"
                let file = try Array(text.utf8).withUnsafeBytes { try TokenizerFile(bytes: $0, path: "mixed") }
                guard case .bytePair(let model) = file.model else {
                    Issue.record("\(text)")
                    continue
                }
                #expect(model.merges.merge(1, 2) == (0, 3) && model.merges.merge(3, 4) == (1, 5) && model.merges.merge(2, 4) == (2, 6), "\(text)")
                #expect(model.merges.count == 3 && model.vocabulary.count == 7)
            }
        }
    }

    @Test("Patterns that go back without end are stopped in time that grows with the text only")
    func stopsCatastrophes() throws {
        for source in ["(a+)+$", "(a|aa)+b", "((a*)*)*c", "(?=(a+)+$)b", "(a?){50}a{50}b"] {
            let pattern = try Pattern(source)
            let text = [UInt8](repeating: 0x61, count: 3000)
            let started = Clock.threadSeconds()
            _ = text.withUnsafeBufferPointer { pattern.matches(in: $0) }
            #expect(Clock.threadSeconds() - started < 5, "\(source)")
        }
    }
}
