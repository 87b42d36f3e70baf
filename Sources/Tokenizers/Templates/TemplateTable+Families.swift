/// Templates of single model families.
extension TemplateTable {
    private static func llama3(_ role: String, _ open: String, _ close: String, _ end: String) -> TemplateDefinition.Slot {
        .text("\(open)\(role)\(close)\n\n{{content}}\(end)\(open)assistant\(close)\n\n")
    }

    private static func llama(_ name: String, open: String, close: String, end: String, stop: [String]) -> TemplateDefinition {
        TemplateDefinition(
            name: name, user: [llama3("user", open, close, end)], assistant: [.text("{{content}}\(end)")],
            system: [.text("\(open)system\(close)\n\n{{content}}\(end)")], observation: [llama3("ipython", open, close, end)],
            prefix: [.bos], tools: .llama3, stopWords: stop, replacesEOS: true)
    }

    private static func gemma(_ name: String, stop: [String], efficientEOS: Bool, replacesEOS: Bool) -> TemplateDefinition {
        TemplateDefinition(
            name: name, user: ["<start_of_turn>user\n{{content}}<end_of_turn>\n<start_of_turn>model\n"],
            assistant: ["{{content}}<end_of_turn>\n"], system: ["{{content}}\n\n"],
            observation: ["<start_of_turn>tool\n{{content}}<end_of_turn>\n<start_of_turn>model\n"], prefix: [.bos], stopWords: stop,
            efficientEOS: efficientEOS, replacesEOS: replacesEOS, kind: .systemInUser)
    }

    private static func mistral(_ name: String, space: String, kind: TemplateDefinition.Kind = .systemInUser) -> TemplateDefinition {
        TemplateDefinition(
            name: name, user: [.text("[INST]\(space){{content}}[/INST]")], assistant: space.isEmpty ? nil : [" {{content}}", .eos],
            system: kind == .systemInUser ? ["{{content}}\n\n"] : ["[SYSTEM_PROMPT]{{content}}[/SYSTEM_PROMPT]"],
            function: [.text("[TOOL_CALLS]\(space){{content}}"), .eos],
            observation: [.text("[TOOL_RESULTS]\(space){\"content\": {{content}}}[/TOOL_RESULTS]")], prefix: [.bos], tools: .mistral,
            kind: kind)
    }

    private static func glm(_ name: String, tools: ToolFormat, kind: TemplateDefinition.Kind = .plain) -> TemplateDefinition {
        TemplateDefinition(
            name: name, user: ["<|user|>\n{{content}}<|assistant|>"], assistant: ["\n{{content}}"], system: ["<|system|>\n{{content}}"],
            function: ["{{content}}"], observation: ["<|observation|>\n{{content}}<|assistant|>"], prefix: ["[gMASK]<sop>"], tools: tools,
            stopWords: ["<|user|>", "<|observation|>"], efficientEOS: true, kind: kind)
    }

    private static func phi(_ name: String) -> TemplateDefinition {
        TemplateDefinition(
            name: name, user: ["<|user|>\n{{content}}<|end|>\n<|assistant|>\n"], assistant: ["{{content}}<|end|>\n"],
            system: ["<|system|>\n{{content}}<|end|>\n"], stopWords: ["<|end|>"], replacesEOS: true)
    }

    private static func granite(_ name: String) -> TemplateDefinition {
        TemplateDefinition(
            name: name,
            user: [
                "<|start_of_role|>user<|end_of_role|>{{content}}<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>"
            ], assistant: ["{{content}}<|end_of_text|>\n"],
            system: ["<|start_of_role|>system<|end_of_role|>{{content}}<|end_of_text|>\n"])
    }

    static let families: [TemplateDefinition] = {
        var granite4 = granite("granite4")
        granite4.observation = ["<|start_of_role|>tool<|end_of_role|>{{content}}<|end_of_text|>\n<|start_of_role|>assistant\n"]
        granite4.stopWords = ["<|end_of_text|>"]
        granite4.defaultSystem = "You are Granite, developed by IBM. You are a helpful AI assistant."
        let llama2 = TemplateDefinition(
            name: "llama2", user: [.bos, "[INST] {{content}} [/INST]"], system: ["<<SYS>>\n{{content}}\n<</SYS>>\n\n"],
            kind: .systemInUser)
        var llama2Chinese = llama2
        llama2Chinese.name = "llama2_zh"
        llama2Chinese.defaultSystem = "You are a helpful assistant. 你是一个乐于助人的助手。"
        return [
            llama(
                "llama3", open: "<|start_header_id|>", close: "<|end_header_id|>", end: "<|eot_id|>", stop: ["<|eot_id|>", "<|eom_id|>"]),
            llama("llama4", open: "<|header_start|>", close: "<|header_end|>", end: "<|eot|>", stop: ["<|eot|>", "<|eom|>"]),
            llama2, llama2Chinese,
            mistral("mistral", space: " "), mistral("ministral", space: ""), mistral("mistral_small", space: "", kind: .plain),
            gemma("gemma", stop: ["<end_of_turn>"], efficientEOS: false, replacesEOS: true),
            gemma("gemma2", stop: ["<eos>", "<end_of_turn>"], efficientEOS: true, replacesEOS: false),
            gemma("gemma3", stop: ["<end_of_turn>"], efficientEOS: false, replacesEOS: true),
            glm("glm4", tools: .glm4),
            TemplateDefinition(
                name: "chatglm3", user: [.token("<|user|>"), "\n", "{{content}}", .token("<|assistant|>")],
                assistant: ["\n", "{{content}}"], system: [.token("<|system|>"), "\n", "{{content}}"], function: ["{{content}}"],
                observation: [.token("<|observation|>"), "\n", "{{content}}", .token("<|assistant|>")],
                prefix: [.token("[gMASK]"), .token("sop")], tools: .glm4, stopWords: ["<|user|>", "<|observation|>"], efficientEOS: true),
            phi("phi"), phi("phi_small"),
            TemplateDefinition(
                name: "phi4_mini", user: ["<|user|>{{content}}<|end|><|assistant|>"], assistant: ["{{content}}<|end|>"],
                system: ["<|system|>{{content}}<|end|>"], tools: .wrapped("<|tool|>", "<|/tool|>"), functionFormat: .plain,
                stopWords: ["<|end|>"], replacesEOS: true),
            TemplateDefinition(
                name: "zephyr", user: ["<|user|>\n{{content}}", .eos, "<|assistant|>\n"], system: ["<|system|>\n{{content}}", .eos],
                defaultSystem: "You are Zephyr, a helpful assistant."),
            TemplateDefinition(
                name: "starchat", user: ["<|user|>\n{{content}}<|end|>\n<|assistant|>"], assistant: ["{{content}}<|end|>\n"],
                system: ["<|system|>\n{{content}}<|end|>\n"], stopWords: ["<|end|>"]),
            TemplateDefinition(
                name: "cohere",
                user: [
                    .text(
                        "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>{{content}}<|END_OF_TURN_TOKEN|>"
                            + "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>")
                ], system: ["<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>{{content}}<|END_OF_TURN_TOKEN|>"], prefix: [.bos]),
            TemplateDefinition(name: "deepseek3", user: ["<｜User｜>{{content}}<｜Assistant｜>"], prefix: [.bos]),
            TemplateDefinition(name: "olmo", user: ["<|user|>\n{{content}}<|assistant|>\n"], prefix: [.eos]),
            TemplateDefinition(
                name: "openchat-3.6",
                user: [
                    .text(
                        "<|start_header_id|>GPT4 Correct User<|end_header_id|>\n\n{{content}}<|eot_id|>"
                            + "<|start_header_id|>GPT4 Correct Assistant<|end_header_id|>\n\n")
                ], prefix: [.bos], stopWords: ["<|eot_id|>"]),
            TemplateDefinition(
                name: "bailing", user: ["<role>HUMAN</role>{{content}}<role>ASSISTANT</role>"],
                system: ["<role>SYSTEM</role>{{content}}"],
                observation: ["<role>OBSERVATION</role>{{content}}<role>ASSISTANT</role>"], stopWords: ["<|endoftext|>"],
                efficientEOS: true),
            TemplateDefinition(
                name: "bailing_v2", user: ["<role>HUMAN</role>{{content}}<|role_end|><role>ASSISTANT</role>"],
                assistant: ["{{content}}<|role_end|>"], system: ["<role>SYSTEM</role>{{content}}<|role_end|>"],
                observation: [
                    "<role>OBSERVATION</role>\n<tool_response>\n{{content}}\n</tool_response><|role_end|><role>ASSISTANT</role>"
                ], tools: .ling, stopWords: ["<|endoftext|>"], efficientEOS: true),
            granite("granite3"), granite4,
            TemplateDefinition(
                name: "hunyuan", user: ["{{content}}<|extra_0|>"], assistant: ["{{content}}<|eos|>"],
                system: ["{{content}}<|extra_4|>"], prefix: ["<|startoftext|>"], stopWords: ["<|eos|>"]),
            TemplateDefinition(
                name: "seed_coder", user: [.bos, "user\n{{content}}", .eos, .bos, "assistant\n"],
                system: [.bos, "system\n{{content}}", .eos],
                defaultSystem: "You are an AI programming assistant, utilizing the Seed-Coder model, developed by ByteDance Seed, "
                    + "and you only answer questions related to computer science. For politically sensitive questions, "
                    + "security and privacy issues, and other non-computer science questions, you will refuse to answer.\n\n"),
        ]
    }()

    static let reasoning: [TemplateDefinition] = [
        TemplateDefinition(
            name: "deepseekr1", user: ["<｜User｜>{{content}}<｜Assistant｜>"], prefix: [.bos], kind: .reasoning),
        glm("glm4_moe", tools: .glm4MoE, kind: .reasoning),
        glm("glmz1", tools: .glm4, kind: .reasoning),
        {
            var glm47 = glm("glm4_7", tools: .glm4MoE, kind: .closingReasoning)
            glm47.thoughtWords = ("<think>", "</think>")
            return glm47
        }(),
        TemplateDefinition(
            name: "gpt_oss", user: ["<|start|>user<|message|>{{content}}<|end|><|start|>assistant"], assistant: ["{{content}}"],
            system: ["<|start|>system<|message|>{{content}}<|end|>"],
            defaultSystem: "You are ChatGPT, a large language model trained by OpenAI.",
            thoughtWords: ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
            efficientEOS: true, kind: .reasoning),
        TemplateDefinition(
            name: "seed_oss", user: [.bos, "user\n{{content}}", .eos, .bos, "assistant\n"], system: [.bos, "system\n{{content}}", .eos],
            function: [.bos, "\n{{content}}", .eos], tools: .seed, thoughtWords: ("<seed:think>", "</seed:think>"),
            kind: .reasoning),
    ]
}
