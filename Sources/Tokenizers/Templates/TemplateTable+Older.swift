/// Templates of earlier Chinese models.
extension TemplateTable {
    static let older: [TemplateDefinition] = [
        TemplateDefinition(
            name: "aquila", user: ["Human: {{content}}###Assistant:"], assistant: ["{{content}}###"], system: ["System: {{content}}###"],
            defaultSystem: "A chat between a curious human and an artificial intelligence assistant. The "
                    + "assistant gives helpful, detailed, and polite answers to the human's questions.",
            stopWords: ["</s>"]),
        TemplateDefinition(
            name: "atom", user: [.bos, "Human: {{content}}\n", .eos, .bos, "Assistant:"], assistant: ["{{content}}\n", .eos]),
        TemplateDefinition(
            name: "baichuan", user: [.token("<reserved_102>"), "{{content}}", .token("<reserved_103>")], efficientEOS: true),
        TemplateDefinition(
            name: "baichuan2", user: ["<reserved_106>{{content}}<reserved_107>"], efficientEOS: true),
        TemplateDefinition(
            name: "belle", user: ["Human: {{content}}\n\nBelle: "], assistant: ["{{content}}", .eos, "\n\n"], prefix: [.bos]),
        TemplateDefinition(
            name: "bluelm", user: [.token("[|Human|]:"), "{{content}}", .token("[|AI|]:")]),
        TemplateDefinition(
            name: "chatglm2", user: ["[Round {{idx}}]\n\n问：{{content}}\n\n答："], prefix: [.token("[gMASK]"), .token("sop")],
            efficientEOS: true),
        TemplateDefinition(
            name: "codegeex2", prefix: [.token("[gMASK]"), .token("sop")]),
        TemplateDefinition(
            name: "codegeex4", user: ["<|user|>\n{{content}}<|assistant|>\n"], system: ["<|system|>\n{{content}}"],
            observation: ["<|observation|>\n{{content}}<|assistant|>\n"], prefix: ["[gMASK]<sop>"], tools: .glm4,
            defaultSystem: "你是一位智能编程助手，你叫CodeGeeX。你会为用户回答关于编程、代码、计算机方面的任何问题，并提供格式规范、可以执行、准确安全的代码，并在必要时提供详细的解释。",
            stopWords: ["<|user|>", "<|observation|>"], efficientEOS: true),
        TemplateDefinition(
            name: "cpm", user: ["<用户>{{content}}<AI>"], prefix: [.bos]),
        TemplateDefinition(
            name: "cpm3", user: ["<|im_start|>user\n{{content}}<|im_end|>\n<|im_start|>assistant\n"],
            assistant: ["{{content}}<|im_end|>\n"], system: ["<|im_start|>system\n{{content}}<|im_end|>\n"],
            observation: ["<|im_start|>tool\n{{content}}<|im_end|>\n<|im_start|>assistant\n"], prefix: [.bos], stopWords: ["<|im_end|>"]),
        TemplateDefinition(
            name: "intern", user: ["<|User|>:{{content}}\n<|Bot|>:"], assistant: ["{{content}}<eoa>\n"],
            system: ["<|System|>:{{content}}\n"], prefix: [.bos],
            defaultSystem: "You are an AI assistant whose name is InternLM (书生·浦语).\n- InternLM (书生·浦语) is a "
                    + "conversational language model that is developed by Shanghai AI Laboratory "
                    + "(上海人工智能实验室). It is designed to be helpful, honest, and harmless.\n- InternLM (书生·浦语) "
                    + "can understand and communicate fluently in the language chosen by the user such as "
                    + "English and 中文.",
            stopWords: ["<eoa>"]),
        TemplateDefinition(
            name: "marco", user: ["<|im_start|>user\n{{content}}<|im_end|>\n<|im_start|>assistant\n"],
            assistant: ["{{content}}<|im_end|>\n"], system: ["<|im_start|>system\n{{content}}<|im_end|>\n"],
            observation: ["<|im_start|>tool\n{{content}}<|im_end|>\n<|im_start|>assistant\n"],
            defaultSystem: "你是一个经过良好训练的AI助手，你的名字是Marco-o1.由阿里国际数字商业集团的AI Business创造.\n## "
                    + "重要！！！！！\n当你回答问题时，你的思考应该在<Thought>内完成，<Output>内输出你的结果。\n<Thought>应该尽可能是英文，但是有2个特例，一个是对原文中的引用，另一个是是数学应该使用markdown格式，"
                    + "<Output>内的输出需要遵循用户输入的语言。\n",
            stopWords: ["<|im_end|>"]),
        TemplateDefinition(
            name: "orion", user: ["Human: {{content}}\n\nAssistant: ", .eos], prefix: [.bos]),
        TemplateDefinition(
            name: "skywork_o1",
            user: ["<|start_header_id|>user<|end_header_id|>\n\n{{content}}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"],
            assistant: ["{{content}}<|eot_id|>"], system: ["<|start_header_id|>system<|end_header_id|>\n\n{{content}}<|eot_id|>"],
            observation: ["<|start_header_id|>ipython<|end_header_id|>\n\n{{content}}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"],
            prefix: [.bos], tools: .llama3,
            defaultSystem: "You are Skywork-o1, a thinking model developed by Skywork AI, specializing in solving "
                    + "complex problems involving mathematics, coding, and logical reasoning through deep "
                    + "thought. When faced with a user's request, you first engage in a lengthy and in-depth "
                    + "thinking process to explore possible solutions to the problem. After completing your "
                    + "thoughts, you then provide a detailed explanation of the solution process in your "
                    + "response.",
            stopWords: ["<|eot_id|>", "<|eom_id|>"]),
        TemplateDefinition(
            name: "telechat", user: ["<_user>{{content}}<_bot>"], system: ["<_system>{{content}}<_end>"]),
        TemplateDefinition(
            name: "xverse", user: ["Human: {{content}}\n\nAssistant: "]),
        TemplateDefinition(
            name: "yayi", user: [.token("<|Human|>"), ":\n{{content}}\n\n", .token("<|YaYi|>"), ":"], assistant: ["{{content}}\n\n"],
            system: [.token("<|System|>"), ":\n{{content}}\n\n"],
            defaultSystem: "You are a helpful, respectful and honest assistant named YaYi developed by Beijing "
                    + "Wenge Technology Co.,Ltd. Always answer as helpfully as possible, while being safe.  "
                    + "Your answers should not include any harmful, unethical, racist, sexist, toxic, "
                    + "dangerous, or illegal content. Please ensure that your responses are socially "
                    + "unbiased and positive in nature.\n\nIf a question does not make any sense, or is not "
                    + "factually coherent, explain why instead of answering something not correct. If you "
                    + "don't know the answer to a question, please don't share false information.",
            stopWords: ["<|End|>"]),
        TemplateDefinition(
            name: "ziya", user: ["<human>:{{content}}\n<bot>:"], assistant: ["{{content}}\n"]),
        // Firefly's own format: question and answer, each ended by the end token.
        TemplateDefinition(name: "firefly", user: ["{{content}}", .eos], prefix: [.bos]),
    ]
}
