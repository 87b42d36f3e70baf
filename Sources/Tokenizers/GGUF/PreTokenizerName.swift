import Platform

/// llama.cpp's names for the ways in which byte-level tokenizers cut text into words (`tokenizer.ggml.pre`).
enum PreTokenizerName {
    /// The text whose tokens tell published tokenizers apart: the one of llama.cpp's `get_vocab_base_pre`.
    private static let probe =
        "\n \n\n \n\n\n \t \t\t \t\n  \n   \n    \n     \n\u{1F680} (normal) \u{1F636}\u{200D}\u{1F32B}\u{FE0F} (multiple emojis concatenated) "
        + "\u{2705} \u{1F999}\u{1F999} 3 33 333 3333 33333 333333 3333333 33333333 3.3 3..3 3...3 "
        + "\u{1780}\u{17B6}\u{1793}\u{17CB}\u{178F}\u{17C2}\u{1796}\u{17B7}\u{179F}\u{17C1}\u{179F}\u{17A2}\u{17B6}\u{1785}\u{1F601} "
        + "?我想在apple工作1314151天～ ------======= нещо на Български ''''''```````\"\"\"\"......!!!!!!?????? "
        + "I've been 'told he's there, 'RE you sure? 'M not sure I'll make it, 'D you like some tea? We'Ve a'lL"

    /// SHA-256 of the probe's ids, written as a Python list, and the name of the pre-tokenizer that gives them.
    private static let names: [String: String] = [
        "b6e8e1518dc4305be2fe39c313ed643381c4da5db34a98f6a04c093f8afbe99b": "chatglm-bpe",
        "81d72c7348a9f0ebe86f23298d37debe0a5e71149e29bd283904c02262b27516": "chatglm-bpe",
        "a1336059768a55c99a734006ffb02203cd450fed003e9a71886c88acf24fdbc2": "glm4",
        "9ca2dd618e8afaf09731a7cf6e2105b373ba6a1821559f258b272fe83e6eb902": "glm4",
        "d4540891389ea895b53b399da6ac824becc30f2fba0e9ddbb98f92e55ca0e97c": "qwen2",
        "e636dc30a262dcc0d8c323492e32ae2b70728f4df7dfe9737d9f920a282b8aea": "qwen2",
        "0ef9807a4087ebef797fc749390439009c3b9eda9ad1a097abbe738f486c01e5": "llama-bpe",
        "c136ed14d01c2745d4f60a9596ae66800e2b61fa45643e72436041855ad4089d": "smaug-bpe",
        "049ecf7629871e3041641907f3de7c733e4dbfdc736f57d882ba0b0845599754": "deepseek-llm",
        "347715f544604f9118bb75ed199f68779f423cabb20db6de6f31b908d04d7821": "deepseek-coder",
        "877081d19cf6996e2c4ff0e1236341e9b7bde288f5311a56a937f0afbbb3aeb5": "deepseek-v3",
        "b3f499bb4255f8ca19fccd664443283318f2fd2414d5e0b040fbdd0cc195d6c5": "deepseek-r1-qwen",
        "35d91631860c815f952d711435f48d356ebac988362536bed955d43bfa436e34": "starcoder",
        "3ce83efda5659b07b1ad37ca97ca5797ea4285d9b9ab0dc679e4a720c9da7454": "gpt-2",
        "0fe1cf6eda062318a1af7270f3331a85c539a01778ff948e24388e949c5282f4": "gpt-2",
        "fcace8b9cac38ce847670c970cd5892031a753a1ef381abd1d9af00f713da085": "phi-2",
        "a8594e3edff7c29c003940395316294b2c623e09894deebbc65f33f1515df79e": "dbrx",
        "63b97e4253352e6f357cc59ea5b583e3a680eaeaf2632188c2b952de2588485e": "tekken",
        "0e9433cbbb161f89e264eb32e8e64bfe69e834973ffca5d41d3948a604a3e2a3": "pixtral",
        "855059429035d75a914d1eda9f10a876752e281a054a7a3d421ef0533e5b6249": "smollm",
        "3c30d3ad1d6b64202cd222813e7736c2db6e1bd6d67197090fc1211fbc612ae7": "bloom",
        "bc01ce58980e1db43859146dc51b1758b3b88729b217a74792e9f8d43e479d21": "gpt3-finnish",
        "c7ea5862a53e4272c035c8238367063e2b270d51faa48c0f09e9d5b54746c360": "poro-chat",
        "ccc2ef013c104be7bae2965776d611e1d7a8a2a9c547dd93a682c9a9fc80352e": "gpt-4o",
        "d353350c764d8c3b39c763113960e4fb4919bea5fbf208a0e3b22e8469dc7406": "llama4",
        "d4c8f286ea6b520b3d495c4455483cfa2302c0cfcd4be05d781b6a8a0a7cdaf1": "megrez",
        "9d032fcbd5501f4a38150912590928bfb36091efb5df11b8e2124b0390e3fb1e": "falcon3",
        "a1e163ecab2e718a4c829d1148b6e86824ec36163bb71941c3dca9cd5ac25756": "mellum",
        "36f3066e97b7f3994b379aaacde306c1444c6ae84e81a5ae3cd2b7ed3b8c42d4": "minicpm5",
        "f6791d196f87ce6b56a7d234be618e0d58f8cda3549416635b2bebcd22cd95c4": "midm-2.0",
        "b0a6b1c0bd5998ebd9df08611efde34a4ff03faed45ae09c43e6b31ebd4b94cf": "a.x-4.0",
    ]

    /// What the probe's tokens hash to.
    static func hash(_ tokenizer: Tokenizer) -> String {
        let ids = tokenizer.encode(probe, addSpecialTokens: true).map(String.init).joined(separator: ", ")
        return SHA256.text(of: Array("[\(ids)]".utf8))
    }

    /// By the hash, as llama.cpp's converter does; for vocabularies that were extended or trained anew, by the rules themselves.
    static func name(of tokenizer: Tokenizer) -> String? {
        names[hash(tokenizer)] ?? tokenizer.core.preTokenizer.flatMap { name(ofRules: $0) }
    }

    private static func name(ofRules rules: PreTokenizer) -> String? {
        switch rules {
        case .byteLevel(addPrefixSpace: false, usesPattern: true): return "gpt-2"
        case .sequence(let steps) where steps.count == 2:
            if case .digits(individual: true) = steps[0], case .byteLevel(addPrefixSpace: false, usesPattern: true) = steps[1] { return "starcoder" }
            guard case .byteLevel(addPrefixSpace: false, usesPattern: false) = steps[1] else { return nil }
            if case .known(let known) = steps[0] {
                switch known {
                case .gpt2: return "gpt-2"
                case .llama3: return "llama-bpe"
                case .qwen2: return "qwen2"
                }
            }
            guard case .split(.pattern(let pattern), .isolated, invert: false) = steps[0] else { return nil }
            return patterns.first { $0.text == pattern.text }?.name
        default: return nil
        }
    }

    private static let bloom = " ?[^(\\s|[.,!?…。，、।۔،])]+"
    private static let tekken =
        "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+"
        + "|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*"
        + "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
    private static let gpt4o =
        "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        + "|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        + "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
    private static let patterns: [(name: String, text: String)] = [("bloom", bloom), ("tekken", tekken), ("gpt-4o", gpt4o)]

    /// How a file's tokenizer cuts words, and the rules that go with it.
    struct Rules {
        var preTokenizer: PreTokenizer
        var composes = false
        var ignoresMerges = false
    }

    /// - Returns: nil for names whose rules are not built here.
    static func rules(_ name: String) -> Rules? {
        func known(_ known: WordScanner.Known) -> PreTokenizer { .sequence([.known(known), .byteLevel(addPrefixSpace: false, usesPattern: false)]) }
        func split(_ patterns: [String]) -> PreTokenizer? {
            var steps: [PreTokenizer] = []
            for text in patterns {
                guard let pattern = try? Pattern(text) else { return nil }
                steps.append(.split(.pattern(pattern), .isolated, invert: false))
            }
            return .sequence(steps + [.byteLevel(addPrefixSpace: false, usesPattern: false)])
        }
        switch name {
        case "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano":
            return Rules(preTokenizer: known(.llama3), ignoresMerges: true)
        case "dbrx", "smaug-bpe", "chatglm-bpe", "glm4": return Rules(preTokenizer: known(.llama3))
        case "qwen2", "deepseek-r1-qwen", "stablelm2", "megrez", "hunyuan", "solar-open", "grok-2": return Rules(preTokenizer: known(.qwen2), composes: name != "grok-2")
        case "gpt-2", "phi-2", "mpt", "olmo", "jais", "jina-es", "jina-de", "jina-v2-es", "jina-v2-de", "gigachat", "a.x-4.0", "mellum", "roberta-bpe":
            return Rules(preTokenizer: .byteLevel(addPrefixSpace: false, usesPattern: true))
        case "starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b":
            return Rules(preTokenizer: .sequence([.digits(individual: true), .byteLevel(addPrefixSpace: false, usesPattern: true)]))
        case "bloom", "poro-chat", "gpt3-finnish": return split([bloom]).map { Rules(preTokenizer: $0) }
        case "tekken": return split([tekken]).map { Rules(preTokenizer: $0, ignoresMerges: true) }
        case "gpt-4o", "llama4": return split([gpt4o]).map { Rules(preTokenizer: $0) }
        case "deepseek-v3":
            return split([
                "\\p{N}{1,3}", "[一-龥\u{3040}-ゟ゠-ヿ]+",
                "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*"
                    + "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
            ]).map { Rules(preTokenizer: $0) }
        case _: return nil
        }
    }
}
