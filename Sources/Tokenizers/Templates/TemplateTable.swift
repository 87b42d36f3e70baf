/// The named templates. One entry each; a new template is one more.
enum TemplateTable {
    static let all: [TemplateDefinition] = general + chatMarkup + families + reasoning + older + newer

    static func definition(_ name: String) -> TemplateDefinition? { all.first { $0.name == name } }

    static let careful =
        "A chat between a curious user and an artificial intelligence assistant. "
        + "The assistant gives helpful, detailed, and polite answers to the user's questions."

    /// Plain words around the messages.
    private static let general: [TemplateDefinition] = [
        TemplateDefinition(
            name: "default", user: ["Human: {{content}}", .eos, "\nAssistant:"], assistant: ["{{content}}", .eos, "\n"],
            system: ["System: {{content}}", .eos, "\n"], replacesJinja: true),
        TemplateDefinition(name: "empty", assistant: ["{{content}}"]),
        TemplateDefinition(name: "fewshot", assistant: ["{{content}}\n\n"], efficientEOS: true, replacesJinja: true),
        TemplateDefinition(
            name: "alpaca", user: ["### Instruction:\n{{content}}\n\n### Response:\n"], assistant: ["{{content}}", .eos, "\n\n"],
            defaultSystem:
                "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n",
            replacesJinja: true),
        TemplateDefinition(name: "vicuna", user: ["USER: {{content}} ASSISTANT:"], defaultSystem: careful, replacesJinja: true),
        TemplateDefinition(
            name: "xuanyuan", user: ["Human: {{content}} Assistant:"],
            defaultSystem: "以下是用户和人工智能助手之间的对话。用户以Human开头，人工智能助手以Assistant开头，"
                + "会对人类提出的问题给出有帮助、高质量、详细和礼貌的回答，并且总是拒绝参与与不道德、" + "不安全、有争议、政治敏感等相关的话题、问题和指示。\n"),
        TemplateDefinition(
            name: "solar", user: ["### User:\n{{content}}\n\n### Assistant:\n"], system: ["### System:\n{{content}}\n\n"],
            efficientEOS: true),
        TemplateDefinition(
            name: "falcon", user: ["User: {{content}}\nFalcon:"], assistant: ["{{content}}\n"], efficientEOS: true),
        TemplateDefinition(
            name: "deepseek", user: ["User: {{content}}\n\nAssistant:"], system: ["{{content}}\n\n"], prefix: [.bos]),
        TemplateDefinition(
            name: "deepseekcoder", user: ["### Instruction:\n{{content}}\n### Response:"], assistant: ["\n{{content}}\n<|EOT|>\n"],
            prefix: [.bos],
            defaultSystem: "You are an AI programming assistant, utilizing the DeepSeek Coder model, "
                + "developed by DeepSeek Company, and you only answer questions related to computer science. "
                + "For politically sensitive questions, security and privacy issues, "
                + "and other non-computer science questions, you will refuse to answer.\n"),
        TemplateDefinition(
            name: "openchat", user: ["GPT4 Correct User: {{content}}", .eos, "GPT4 Correct Assistant:"], prefix: [.bos]),
        TemplateDefinition(name: "breeze", user: ["[INST] {{content}} [/INST] "], prefix: [.bos], efficientEOS: true),
        TemplateDefinition(
            name: "ernie_nothink", user: ["User: {{content}}\nAssistant: "], assistant: ["{{content}}<|end_of_sentence|>"],
            system: ["{{content}}\n"], prefix: ["<|begin_of_sentence|>"], stopWords: ["<|end_of_sentence|>"]),
        TemplateDefinition(
            name: "index", user: ["reserved_0{{content}}reserved_1"], system: ["<unk>{{content}}"], efficientEOS: true),
        TemplateDefinition(
            name: "telechat2", user: ["<_user>{{content}}<_bot>"], system: ["<_system>{{content}}"],
            defaultSystem: "你是中国电信星辰语义大模型，英文名是TeleChat，你是由中电信人工智能科技有限公司和中国电信人工智能研究院（TeleAI）研发的人工智能助手。"),
        TemplateDefinition(name: "yuan", user: ["{{content}}", .token("<sep>")], assistant: ["{{content}}<eod>\n"], stopWords: ["<eod>"]),
        TemplateDefinition(
            name: "exaone", user: ["[|user|]{{content}}\n[|assistant|]"], assistant: ["{{content}}", .eos, "\n"],
            system: ["[|system|]{{content}}[|endofturn|]\n"]),
    ]

    /// `<|im_start|>role ... <|im_end|>`: the same words for many models.
    private static func markup(
        _ name: String, tools: ToolFormat = .plain, prefix: [TemplateDefinition.Slot] = [], system: String = "",
        stop: [String] = ["<|im_end|>"], replacesEOS: Bool = false, replacesJinja: Bool = false, toolObservation: Bool = false,
        observesAsUser: Bool = false, kind: TemplateDefinition.Kind = .plain
    ) -> TemplateDefinition {
        var result = TemplateDefinition(
            name: name, user: ["<|im_start|>user\n{{content}}<|im_end|>\n<|im_start|>assistant\n"],
            assistant: ["{{content}}<|im_end|>\n"], system: ["<|im_start|>system\n{{content}}<|im_end|>\n"], prefix: prefix, tools: tools,
            defaultSystem: system, stopWords: stop, replacesEOS: replacesEOS, replacesJinja: replacesJinja, kind: kind)
        if toolObservation { result.observation = ["<|im_start|>tool\n{{content}}<|im_end|>\n<|im_start|>assistant\n"] }
        if observesAsUser {
            result.observation = [
                "<|im_start|>user\n<tool_response>\n{{content}}\n</tool_response><|im_end|>\n<|im_start|>assistant\n"
            ]
        }
        return result
    }

    private static let chatMarkup: [TemplateDefinition] = [
        markup("chatml", stop: ["<|im_end|>", "<|im_start|>"], replacesEOS: true, replacesJinja: true, toolObservation: true),
        markup(
            "chatml_de", system: "Du bist ein freundlicher und hilfsbereiter KI-Assistent.", stop: ["<|im_end|>", "<|im_start|>"],
            replacesEOS: true, replacesJinja: true, toolObservation: true),
        markup(
            "qwen", tools: .qwen, system: "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.", replacesEOS: true,
            observesAsUser: true),
        markup("qwen3", tools: .qwen, replacesEOS: true, observesAsUser: true, kind: .reasoning),
        markup("qwen3_nothink", tools: .qwen, replacesEOS: true, observesAsUser: true),
        markup("qwen3_5", tools: .qwen35, replacesEOS: true, observesAsUser: true, kind: .reasoning),
        markup("qwen3_5_nothink", tools: .qwen35, replacesEOS: true, observesAsUser: true),
        markup("mimo", tools: .qwen, system: "You are a helpful assistant.", replacesEOS: true, observesAsUser: true, kind: .reasoning),
        markup("cpm4", prefix: [.bos], toolObservation: true),
        markup("falcon_h1", prefix: [.bos], stop: ["<|im_end|>", "<|end_of_text|>"], toolObservation: true),
        markup("opencoder", system: "You are OpenCoder, created by OpenCoder Team.", toolObservation: true),
        markup("smollm"),
        markup("smollm2", system: "You are a helpful AI assistant named SmolLM, trained by Hugging Face."),
        markup("yi"),
        markup(
            "intern2", prefix: [.bos],
            system: "You are an AI assistant whose name is InternLM (书生·浦语).\n"
                + "- InternLM (书生·浦语) is a conversational language model that is developed by Shanghai AI Laboratory "
                + "(上海人工智能实验室). It is designed to be helpful, honest, and harmless.\n"
                + "- InternLM (书生·浦语) can understand and communicate fluently in the language "
                + "chosen by the user such as English and 中文."),
        TemplateDefinition(
            name: "sailor", user: ["<|im_start|>question\n{{content}}<|im_end|>\n<|im_start|>answer\n"],
            assistant: ["{{content}}<|im_end|>\n"], system: ["<|im_start|>system\n{{content}}<|im_end|>\n"],
            defaultSystem: "You are an AI assistant named Sailor created by Sea AI Lab. "
                + "Your answer should be friendly, unbiased, faithful, informative and detailed.",
            stopWords: ["<|im_end|>"]),
        TemplateDefinition(
            name: "ernie", user: ["<|im_start|>user\n{{content}}<|im_end|>\n\n<|im_start|>assistant\n"],
            assistant: ["{{content}}<|im_end|>\n\n"], system: ["<|im_start|>system\n{{content}}<|im_end|>\n\n"],
            observation: ["<|im_start|>tool\n{{content}}<|im_end|>\n\n<|im_start|>assistant\n"],
            defaultSystem: "<global_setting>\nthink_mode=True\n</global_setting>", stopWords: ["<|im_end|>"]),
        TemplateDefinition(
            name: "phi4", user: ["<|im_start|>user<|im_sep|>{{content}}<|im_end|><|im_start|>assistant<|im_sep|>"],
            assistant: ["{{content}}<|im_end|>"], system: ["<|im_start|>system<|im_sep|>{{content}}<|im_end|>"],
            stopWords: ["<|im_end|>"], replacesEOS: true),
        TemplateDefinition(
            name: "moonlight",
            user: ["<|im_user|>user<|im_middle|>{{content}}<|im_end|><|im_assistant|>assistant<|im_middle|>"],
            assistant: ["{{content}}<|im_end|>"], system: ["<|im_system|>system<|im_middle|>{{content}}<|im_end|>"],
            defaultSystem: "You are a helpful assistant provided by Moonshot-AI.", stopWords: ["<|im_end|>"], replacesEOS: true),
    ]
}
