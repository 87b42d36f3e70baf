import Configuration
import Events
import Formats
import Models
import Platform
import Tensors
import Tokenizers

/// Exports for llama.cpp and Ollama.
extension ExportJob {
    /// Writes the file, opens it as anyone else would, and compares.
    func writeGGUF(
        _ model: Transformer, _ conversation: Conversation, type: GGUFFileType, to directory: String, prompts: [[Int32]],
        reference: [[Float]], backend: CPUBackend, plan: ExportPlan, adapterAlone: Bool
    ) throws -> Verification {
        let path = Path.join(directory, plan.ggufName ?? "model.gguf")
        let separatesHead = !adapterAlone && model.adapterSeparatesHead
        let layout = try GGUFLayout(folder: model.folder, fileType: type, separatesHead: separatesHead)
        if adapterAlone {
            sink.emit(.phase("writing adapter"))
            try GGUFAdapterWriter(model, layout: layout, backend: backend).write(to: path, name: Path.name(plan.exportDirectory))
            try heed(plan)
            sink.emit(.phase("verifying"))
            try AdapterFile.load(gguf: path, layout: layout, into: model)
            return try verified(model, prompts: prompts, reference: reference, limit: Verification.usualLimit, plan: plan)
        }
        let (tokenizerEntries, notices) = try conversation.tokenizer.ggufEntries(
            vocabularySize: model.spec.vocabularySize, stopTokenIDs: conversation.stopTokenIDs)
        for notice in notices { log(.warning, notice) }
        sink.emit(.phase("writing weights"))
        let written = try GGUFModelWriter(model, layout: layout, backend: backend).write(
            to: path, metadata: layout.metadata(name: Path.name(plan.modelDirectory)) + tokenizerEntries
        ) { written, total in
            sink.emit(.progress(ProgressRecord(phase: "writing weights", completed: written, total: total)))
            control.waitWhilePaused()
            return !control.isStopping
        }
        guard written != nil else { throw ExportError.aborted(path: plan.exportDirectory) }
        sink.emit(.phase("verifying"))
        let tokenizer = try Tokenizer(directory: path)
        let reloaded = try Transformer.load(directory: path, backend: backend, options: LoadOptions(restoresLayout: false))
        guard Verification.tokens(tokenizer, vocabularySize: reloaded.spec.vocabularySize) == prompts else {
            throw ExportError.verificationFailed(path: plan.exportDirectory, reason: "its tokenizer cuts the prompts differently.")
        }
        let limit = type.isQuantized && type != .q8Zero ? 0.5 : Verification.usualLimit
        return try verified(reloaded, prompts: prompts, reference: reference, limit: limit, plan: plan)
    }

    /// Compares what was written and opened again.
    func verified(_ written: Transformer, prompts: [[Int32]], reference: [[Float]], limit: Double, plan: ExportPlan) throws -> Verification {
        let verification = Verification(
            reference: reference, written: Verification.logits(written, prompts), vocabularySize: written.spec.vocabularySize)
        if let problem = verification.problem(limit: limit) {
            throw ExportError.verificationFailed(path: plan.exportDirectory, reason: problem)
        }
        tell(verification)
        return verification
    }

    /// Ollama's Modelfile, so that `ollama create NAME -f Modelfile` works in the folder. An adapter names the base that it is for.
    func writeModelfile(_ conversation: Conversation, model: Transformer, plan: ExportPlan, to directory: String) throws {
        let file = plan.ggufName.map { "./" + $0 }
        let text = conversation.template.ollamaModelfile(
            conversation.tokenizer, from: plan.isAdapter ? Path.absolute(plan.modelDirectory) : file ?? ".", adapter: plan.isAdapter ? file : nil,
            stopTokenIDs: conversation.stopTokenIDs, contextLength: min(4096, model.spec.maximumPositions))
        try FileSystem.writeAtomically(Path.join(directory, "Modelfile"), text: text)
    }
}
