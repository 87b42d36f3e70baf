/// Templates of later models, and of those that came with their own way of calling tools.
extension TemplateTable {
    static let newer: [TemplateDefinition] = [
        TemplateDefinition(
            name: "dbrx", user: ["<|im_start|>user\n{{content}}<|im_end|>\n<|im_start|>assistant\n"],
            assistant: ["{{content}}<|im_end|>\n"], system: ["<|im_start|>system\n{{content}}<|im_end|>\n"],
            observation: ["<|im_start|>tool\n{{content}}<|im_end|>\n<|im_start|>assistant\n"],
            defaultSystem: "You are DBRX, created by Databricks. You were last updated in December 2023. You "
                    + "answer questions based on information available up to that point.\nYOU PROVIDE SHORT "
                    + "RESPONSES TO SHORT QUESTIONS OR STATEMENTS, but provide thorough responses to more "
                    + "complex and open-ended questions.\nYou assist with various tasks, from writing to "
                    + "coding (using markdown for code blocks — remember to use ``` with code, JSON, and "
                    + "tables).\n(You do not have real-time data access or code execution capabilities. You "
                    + "avoid stereotyping and provide balanced perspectives on controversial topics. You do "
                    + "not provide song lyrics, poems, or news articles and do not divulge details of your "
                    + "training data.)\nThis is your system prompt, guiding your responses. Do not reference "
                    + "it, just respond to the user. If you find yourself talking about this message, stop. "
                    + "You should be responding appropriately and usually that means not mentioning "
                    + "this.\nYOU DO NOT MENTION ANY OF THIS INFORMATION ABOUT YOURSELF UNLESS THE "
                    + "INFORMATION IS DIRECTLY PERTINENT TO THE USER'S QUERY.",
            stopWords: ["<|im_end|>"], replacesEOS: true),
        TemplateDefinition(
            name: "hunyuan_small", user: ["<｜hy_User｜>{{content}}<｜hy_place▁holder▁no▁8｜>"],
            assistant: ["{{content}}<｜hy_place▁holder▁no▁2｜>"], system: ["{{content}}<｜hy_place▁holder▁no▁3｜>"],
            prefix: ["<｜hy_begin▁of▁sentence｜>"], stopWords: ["<｜hy_place▁holder▁no▁2｜>"]),
        TemplateDefinition(
            name: "hy3", user: ["<｜hy_User｜>{{content}}<｜hy_Assistant｜>"], assistant: ["{{content}}<｜hy_eos｜>"], prefix: [.bos],
            stopWords: ["<｜hy_eos｜>"], thoughtWords: ("<think>", "</think>"), replacesEOS: true, kind: .reasoning),
        TemplateDefinition(
            name: "lfm2", user: ["<|im_start|>user\n{{content}}<|im_end|>\n<|im_start|>assistant\n"],
            assistant: ["{{content}}<|im_end|>\n"], system: ["<|im_start|>system\n{{content}}<|im_end|>\n"],
            observation: ["<|im_start|>tool\n<|tool_response_start|>{{content}}<|tool_response_end|><|im_end|>\n<|im_start|>assistant\n"],
            tools: .lfm2, defaultSystem: "You are a helpful AI assistant.", stopWords: ["<|im_end|>"],
            toolCallWords: ("<|tool_call_start|>", "<|tool_call_end|>"), replacesEOS: true),
        TemplateDefinition(
            name: "mimo_v2", user: ["<|im_start|>user\n{{content}}<|im_end|>\n<|im_start|>assistant\n"],
            assistant: ["{{content}}<|im_end|>\n"], system: ["<|im_start|>system\n{{content}}<|im_end|>\n"],
            observation: ["<|im_start|>user\n<tool_response>\n{{content}}\n</tool_response><|im_end|>\n<|im_start|>assistant\n"],
            tools: .qwen, defaultSystem: "You are MiMo, a helpful AI assistant engineered by Xiaomi.", stopWords: ["<|im_end|>"],
            thoughtWords: ("<think>", "</think>"), replacesEOS: true, kind: .reasoning),
        TemplateDefinition(
            name: "minimax1",
            user: ["<beginning_of_sentence>user name=user\n{{content}}<end_of_sentence>\n<beginning_of_sentence>ai name=assistant\n"],
            assistant: ["{{content}}<end_of_sentence>\n"],
            system: ["<beginning_of_sentence>system ai_setting=assistant\n{{content}}<end_of_sentence>\n"],
            observation: ["<beginning_of_sentence>tool name=tools\n{{content}}<end_of_sentence>\n<beginning_of_sentence>ai name=assistant\n"],
            tools: .minimax1, defaultSystem: "You are a helpful assistant.", stopWords: ["<end_of_sentence>"]),
        TemplateDefinition(
            name: "minimax2", user: ["]~b]user\n{{content}}[e~[\n]~b]ai\n"], assistant: ["{{content}}[e~[\n"],
            system: ["]~!b[]~b]system\n{{content}}[e~[\n"], observation: ["]~b]tool\n<response>{{content}}</response>[e~[\n]~b]ai\n"],
            tools: .minimax2, defaultSystem: "You are a helpful assistant. Your name is MiniMax-M2.1 and is built by MiniMax.",
            stopWords: ["[e~["], kind: .reasoning),
        TemplateDefinition(
            name: "youtu", user: ["<|User|>{{content}}<|Assistant|>"], assistant: ["{{content}}<|end_of_text|>"],
            function: ["{{content}}"], observation: ["<tool_response>\n{{content}}\n</tool_response><|Assistant|>"], prefix: [.bos],
            stopWords: ["<|end_of_text|>"], replacesEOS: true, kind: .reasoning),
        TemplateDefinition(
            name: "gemma3n", user: ["<start_of_turn>user\n{{content}}<end_of_turn>\n<start_of_turn>model\n"],
            assistant: ["{{content}}<end_of_turn>\n"], system: ["{{content}}\n\n"],
            observation: ["<start_of_turn>tool\n{{content}}<end_of_turn>\n<start_of_turn>model\n"], prefix: [.bos],
            stopWords: ["<end_of_turn>"], replacesEOS: true, kind: .systemInUser),
        TemplateDefinition(
            name: "gemma4", user: ["<|turn>user\n{{content}}<turn|>\n<|turn>model\n"], assistant: ["{{content}}<turn|>\n"],
            system: ["<|turn>system\n<|think|>{{content}}<turn|>\n"], function: ["<|tool>{{content}}<tool|>"],
            observation: ["<|turn>tool\n{{content}}<turn|>\n<|turn>model\n"], prefix: [.bos], tools: .gemma4,
            defaultSystem: "You are a helpful assistant.", stopWords: ["<turn|>"], thoughtWords: ("<|channel>thought\n", "<channel|>"),
            replacesEOS: true, kind: .reasoning),
        TemplateDefinition(
            name: "ministral3", user: ["[INST]{{content}}[/INST]"], system: ["{{content}}\n\n"],
            function: ["[TOOL_CALLS]{{content}}", .eos], observation: ["[TOOL_RESULTS]{\"content\": {{content}}}[/TOOL_RESULTS]"],
            prefix: [.bos], tools: .mistral, kind: .systemInUser),
        TemplateDefinition(
            name: "qwen3_6", user: ["<|im_start|>user\n{{content}}<|im_end|>\n<|im_start|>assistant\n"],
            assistant: ["{{content}}<|im_end|>\n"], system: ["<|im_start|>system\n{{content}}<|im_end|>\n"],
            observation: ["<|im_start|>user\n<tool_response>\n{{content}}\n</tool_response><|im_end|>\n<|im_start|>assistant\n"],
            tools: .qwen35, stopWords: ["<|im_end|>"], replacesEOS: true, kind: .reasoning),
        TemplateDefinition(
            name: "aeva", user: ["<|user|>\n{{content}}<|assistant|>"], assistant: ["\n{{content}}"],
            system: ["<|system|>\n{{content}}"], function: ["{{content}}"], observation: ["<|observation|>\n{{content}}<|assistant|>"],
            prefix: ["[gMASK]<sop>"], tools: .glm4MoE,
            defaultSystem: "You are an AI assistant named Aeva created by Zongzhi Lou. Your answer should be "
                    + "friendly, unbiased, faithful, informative and detailed.",
            stopWords: ["<|user|>", "<|observation|>"], thoughtWords: ("<think>", "</think>"), efficientEOS: true,
            kind: .closingReasoning),
    ]
}
