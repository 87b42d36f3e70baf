/// How llama.cpp builds a family: its name in GGUF files, and where its idea of the weights differs from the Hugging Face one.
public struct GGUFArchitecture: Sendable, Equatable {
    /// `general.architecture`: "qwen2".
    public let name: String
    /// The `model_type`s that are written as it.
    let modelTypes: [String]
    /// `model_type` and class of what is read from it.
    let readAs: (type: String, className: String)
    /// llama.cpp rotates neighbouring dimensions, so rows of query and key are put in that order where the family rotates halves.
    var permutesHeads = false
    /// Query, key and value are written as three matrices.
    var separatesProjections = false
    /// Files need a head of their own, though the model's is tied to the embedding.
    var needsHead = false
    /// Files have no place for a head of their own.
    var hasTiedHeadOnly = false
    /// The heads' widths add up to the hidden size.
    var hasPlainHeads: Bool {
        ["qwen2", "qwen2moe", "phi3", "chatglm", "internlm2", "baichuan", "gpt2", "bloom", "starcoder2"].contains(name)
    }
    /// Positions are angles; GPT-2 learns them and BLOOM weakens distant scores.
    var rotatesPositions: Bool { name != "gpt2" && name != "bloom" }
    /// A part of each head may be rotated; else llama.cpp refuses a number other than a head's width.
    var rotatesInPart: Bool { ["phi3", "chatglm", "glm4"].contains(name) }
    /// Its activation is GELU (by the tanh formula); else SiLU.
    var usesGELU = false
    /// Whether the weights of a token's experts add up to one; nil for dense families.
    var normalisesExperts: Bool?
    /// The biases that llama.cpp has places for.
    var allowsInputBias = true, allowsOutputBias = true, allowsFeedForwardBias = true
    /// Every how many layers one has no sliding window; nil where windows are not applied.
    var slidingPeriod: Int?
    /// Layers of the model whose scores llama.cpp divides by the root of the width of a head as the hidden size gives it.
    var wideScoreLayers: Int?

    init(_ name: String, modelTypes: [String], readAs type: String, _ className: String) {
        self.name = name
        self.modelTypes = modelTypes
        readAs = (type, className)
    }

    public static func == (left: GGUFArchitecture, right: GGUFArchitecture) -> Bool { left.name == right.name }

    public static let all: [GGUFArchitecture] = [
        .row("llama", ["llama", "mistral", "mixtral", "internlm3"], "llama", "LlamaForCausalLM") {
            $0.permutesHeads = true
            $0.normalisesExperts = true
        },
        .row("qwen2", ["qwen2"], "qwen2", "Qwen2ForCausalLM") {
            $0.allowsOutputBias = false
            $0.allowsFeedForwardBias = false
        },
        .row("qwen2moe", ["qwen2_moe"], "qwen2_moe", "Qwen2MoeForCausalLM") {
            $0.normalisesExperts = false
            $0.needsHead = true
            $0.allowsOutputBias = false
        },
        .row("qwen3", ["qwen3"], "qwen3", "Qwen3ForCausalLM") {
            $0.allowsInputBias = false
            $0.allowsOutputBias = false
        },
        .row("qwen3moe", ["qwen3_moe"], "qwen3_moe", "Qwen3MoeForCausalLM") {
            $0.normalisesExperts = true
            $0.needsHead = true
            $0.allowsInputBias = false
            $0.allowsOutputBias = false
        },
        .row("gemma", ["gemma"], "gemma", "GemmaForCausalLM") { $0.makeGemma() },
        .row("gemma2", ["gemma2"], "gemma2", "Gemma2ForCausalLM") {
            $0.makeGemma()
            $0.slidingPeriod = 2
            $0.wideScoreLayers = 46
        },
        .row("gemma3", ["gemma3_text"], "gemma3_text", "Gemma3ForCausalLM") {
            $0.makeGemma()
            $0.hasTiedHeadOnly = false
            $0.slidingPeriod = 6
            $0.wideScoreLayers = 62
        },
        .row("phi3", ["phi3"], "phi3", "Phi3ForCausalLM") {
            $0.allowsInputBias = false
            $0.allowsOutputBias = false
        },
        .row("chatglm", ["glm", "chatglm"], "glm", "GlmForCausalLM") {
            $0.allowsOutputBias = false
            $0.allowsFeedForwardBias = false
        },
        .row("glm4", ["glm4"], "glm4", "Glm4ForCausalLM") { $0.allowsOutputBias = false },
        .row("internlm2", ["internlm2"], "llama", "LlamaForCausalLM") {
            $0.permutesHeads = true
            $0.separatesProjections = true
            $0.needsHead = true
        },
        .row("baichuan", ["baichuan"], "llama", "LlamaForCausalLM") {
            $0.permutesHeads = true
            $0.separatesProjections = true
            $0.needsHead = true
            $0.allowsInputBias = false
            $0.allowsOutputBias = false
        },
        .row("gpt2", ["gpt2"], "gpt2", "GPT2LMHeadModel") { $0.usesGELU = true },
        .row("bloom", ["bloom"], "bloom", "BloomForCausalLM") { $0.usesGELU = true },
        .row("starcoder2", ["starcoder2"], "starcoder2", "Starcoder2ForCausalLM") { $0.usesGELU = true },
    ]

    /// The one that a model type is written as; nil for families that llama.cpp does not know.
    public static func writing(_ modelType: String) -> GGUFArchitecture? { all.first { $0.modelTypes.contains(modelType) } }

    /// By the name in a file.
    public static func named(_ name: String) -> GGUFArchitecture? { all.first { $0.name == name } }

    private static func row(
        _ name: String, _ modelTypes: [String], _ type: String, _ className: String, _ change: (inout GGUFArchitecture) -> Void
    ) -> GGUFArchitecture {
        var made = GGUFArchitecture(name, modelTypes: modelTypes, readAs: type, className)
        change(&made)
        return made
    }

    private mutating func makeGemma() {
        usesGELU = true
        hasTiedHeadOnly = true
        allowsInputBias = false
        allowsOutputBias = false
    }

    /// The factor that llama.cpp applies to scores, given the rest of its keys.
    func scoreScale(_ spec: ArchitectureSpec) -> Float {
        if let wideScoreLayers, spec.layerCount == wideScoreLayers { return 1 / (Float(spec.hiddenSize) / Float(spec.headCount)).squareRoot() }
        return 1 / Float(spec.headDimension).squareRoot()
    }
}
