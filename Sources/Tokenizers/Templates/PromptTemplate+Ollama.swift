/// The template in the words of Ollama.
extension PromptTemplate {
    /// A Modelfile as LLaMA-Factory writes it.
    /// - Parameters:
    ///   - from: the model: `.` or `./model.gguf` beside the file, or the base of an adapter.
    ///   - adapter: the adapter beside the file.
    ///   - contextLength: tokens that Ollama keeps (`num_ctx`).
    public func ollamaModelfile(
        _ tokenizer: Tokenizer, from: String, adapter: String? = nil, stopTokenIDs: [Int32], contextLength: Int
    ) -> String {
        var text = "# Ollama Modelfile written by Tuneboard: ollama create NAME -f Modelfile\n\nFROM \(from)\n"
        if let adapter { text += "ADAPTER \(adapter)\n" }
        text += "\n"
        switch source {
        case .named(let definition):
            text += "TEMPLATE \"\"\"\(ollamaTemplate(definition, tokenizer))\"\"\"\n\n"
            let system = systemText(nil)
            if !system.isEmpty { text += "SYSTEM \"\"\"\(system)\"\"\"\n\n" }
        case .jinja(let own):
            if let template = own.ollama(tokenizer) {
                text += "TEMPLATE \"\"\"\(template)\"\"\"\n\n"
            } else {
                text += "# The model's own chat template cannot be said here. Ollama takes the one in the model, where it knows it.\n\n"
            }
        }
        for id in stopTokenIDs { if let token = tokenizer.token(id) { text += "PARAMETER stop \"\(token)\"\n" } }
        return text + "PARAMETER num_ctx \(contextLength)\n"
    }

    private func ollamaTemplate(_ definition: TemplateDefinition, _ tokenizer: Tokenizer) -> String {
        func words(_ slots: [TemplateDefinition.Slot], _ placeholder: String) -> String {
            slots.map { slot in
                switch slot {
                case .text(let text): text.replacing("{{content}}", with: "{{ \(placeholder) }}").replacing("{{idx}}", with: "0")
                case .token(let name): name
                case .bos: tokenizer.bosToken ?? ""
                case .eos: tokenizer.eosToken ?? ""
                }
            }.joined()
        }
        return words(definition.prefix, "content") + "{{ if .System }}" + words(definition.system, ".System") + "{{ end }}"
            + "{{ range .Messages }}{{ if eq .Role \"user\" }}" + words(definition.user, ".Content")
            + "{{ else if eq .Role \"assistant\" }}" + words(definition.assistantSlots, ".Content") + "{{ end }}{{ end }}"
    }
}
