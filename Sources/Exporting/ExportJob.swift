import Configuration
import Events
import Formats
import Glibc
import Models
import Platform
import Tensors
import Tokenizers

/// Merges adapters into their base and writes the result as a Hugging Face folder that other programs open: weights, tokenizer with
/// its chat template, generation settings and a model card.
///
/// Everything is written beside the target and verified there; only then does the folder get its name. A run that fails or is
/// stopped leaves nothing that looks finished.
public struct ExportJob {
    private let configuration: Configuration
    let sink: any EventSink
    let control: JobControl

    public init(configuration: Configuration, sink: any EventSink, control: JobControl) {
        self.configuration = configuration
        self.sink = sink
        self.control = control
    }

    /// Sizes, files, disk and memory, without reading weights.
    public static func plan(_ configuration: Configuration) throws -> ExportPlan { try ExportPlan(configuration) }

    public func run() throws -> JobSummary {
        let settings = try ExportSettings(configuration)
        let plan = try ExportPlan(settings)
        for warning in plan.warnings { log(.warning, warning) }
        // Room for the new files beside the old ones, which go last.
        guard plan.freeDiskBytes > plan.totalBytes + (1 << 20) else {
            throw ExportError.notEnoughSpace(path: plan.exportDirectory, needed: plan.totalBytes, free: plan.freeDiskBytes)
        }
        let start = Clock.monotonicSeconds()
        sink.emit(.phase("loading model"))
        let conversation = try Conversation(settings)
        for notice in conversation.notices { log(.warning, notice) }
        let backend = CPUBackend(threadCount: settings.threadCount)
        let model = try load(settings, growth: settings.vocabulary.growth(conversation.tokenizer), backend: backend)
        try heed(plan)

        sink.emit(.state(.running))
        sink.emit(.phase("computing reference"))
        let prompts = Verification.tokens(conversation.tokenizer, vocabularySize: model.spec.vocabularySize)
        let reference = Verification.logits(model, prompts)
        try heed(plan)

        let partial = Path.join(
            Path.directory(plan.exportDirectory), ".\(Path.name(plan.exportDirectory)).partial-\(getpid())")
        try? FileSystem.removeTree(partial)
        defer { try? FileSystem.removeTree(partial) }
        let verification: Verification
        if let type = settings.ggufType {
            try FileSystem.createDirectory(partial)
            verification = try writeGGUF(
                model, conversation, type: type, to: partial, prompts: prompts, reference: reference, backend: backend, plan: plan,
                adapterAlone: settings.writesAdapterAlone)
        } else {
            try write(model, conversation, to: partial, plan: plan, settings: settings)
            verification = try verify(partial, prompts: prompts, reference: reference, backend: backend, plan: plan)
        }
        try writeModelfile(conversation, model: model, plan: plan, to: partial)
        let bytes = plan.files.reduce(0) { $0 + Int64((try? FileSystem.size(Path.join(partial, $1.name))) ?? 0) }
        let card = ModelCard(plan: plan, templateName: conversation.templateName, bytes: bytes, verification: verification)
        try FileSystem.writeAtomically(Path.join(partial, ModelCard.fileName), text: card.text())
        try heed(plan)
        try publish(partial, as: plan.exportDirectory)
        return summary(plan, verification, bytes: bytes, seconds: Clock.monotonicSeconds() - start)
    }

    // MARK: Steps

    /// All adapters but the last are merged, in f32 where there are several, so that each is rounded once at the end; the last stays
    /// an adapter, to be compared with the written model.
    private func load(_ settings: ExportSettings, growth: VocabularyGrowth?, backend: CPUBackend) throws -> Transformer {
        let type: DType? = settings.adapterDirectories.count > 1 ? .float32 : nil
        let model = try Transformer.load(directory: settings.modelDirectory, backend: backend, options: LoadOptions(dtype: type, growth: growth))
        for note in model.notes { log(.warning, note) }
        if model.isQuantized, !settings.writesAdapterAlone {
            guard settings.adapterDirectories.isEmpty else {
                throw ExportError.unsupported(
                    argument: "adapter_name_or_path", value: settings.adapterDirectories.joined(separator: ","),
                    whatToDo: "\(settings.modelDirectory) is quantised, and an adapter cannot be merged into it: give the unquantised model.")
            }
            log(.info, "the quantised weights are written out in full")
        }
        if !settings.adapterDirectories.isEmpty { try AdapterFile.load(settings.adapterDirectories, into: model) }
        for note in model.adapterNotes { log(.warning, note) }
        log(.info, "loaded \(settings.modelDirectory), \(NumberText.count(model.parameters.reduce(0) { $0 + $1.count })) parameters")
        for directory in settings.adapterDirectories { log(.info, "with adapter \(directory)") }
        return model
    }

    private func write(
        _ model: Transformer, _ conversation: Conversation, to directory: String, plan: ExportPlan, settings: ExportSettings
    ) throws {
        sink.emit(.phase("writing weights"))
        let options = CheckpointWriter.Options(
            dtype: plan.dtype, maximumShardBytes: settings.maximumShardBytes, mergesAdapter: true, copiesCompanions: true)
        let isWhole = try CheckpointWriter(model, options: options).write(to: directory) { written, total in
            sink.emit(.progress(ProgressRecord(phase: "writing weights", completed: written, total: total)))
            control.waitWhilePaused()
            return !control.isStopping
        }
        guard isWhole else { throw ExportError.aborted(path: plan.exportDirectory) }
        try conversation.tokenizer.save(to: directory)
        try writeGenerationSettings(model, conversation, to: directory)
    }

    /// Generation must stop where the template's answers end, so those tokens join the end tokens that the model came with. A
    /// checkpoint without generation settings gets the ones it cannot do without.
    private func writeGenerationSettings(_ model: Transformer, _ conversation: Conversation, to directory: String) throws {
        let path = Path.join(directory, "generation_config.json")
        var object: JSONObject = [:]
        if FileSystem.exists(path) {
            do {
                let found = try JSONValue.read(file: path)
                object = found.objectValue ?? [:]
                if found.objectValue == nil { log(.warning, "\(path): expected a JSON object, found \(found.kindName). It is made anew.") }
            } catch {
                log(.warning, "\(error) It is made anew.")
            }
        }
        let isNew = object.isEmpty
        if isNew, let bos = model.spec.bosToken { object.set("bos_token_id", .integer(Int64(bos))) }
        let given = object["eos_token_id"].map { $0.arrayValue ?? [$0] }?.compactMap(\.intValue).map { Int64($0) }
        var ends = given ?? model.spec.eosTokens.map { Int64($0) }
        for token in conversation.stopTokenIDs.map({ Int64($0) }) where !ends.contains(token) { ends.append(token) }
        if let only = ends.first, ends.count == 1 { object.set("eos_token_id", .integer(only)) }
        if ends.count > 1 { object.set("eos_token_id", .array(ends.map { .integer($0) })) }
        if isNew, let pad = model.spec.padToken ?? conversation.tokenizer.padID { object.set("pad_token_id", .integer(Int64(pad))) }
        try FileSystem.writeAtomically(path, text: JSONValue.object(object).text(style: .indented(2)) + "\n")
    }

    /// Opens what was written as anyone else would, and compares.
    private func verify(
        _ directory: String, prompts: [[Int32]], reference: [[Float]], backend: CPUBackend, plan: ExportPlan
    ) throws -> Verification {
        sink.emit(.phase("verifying"))
        let tokenizer = try Tokenizer(directory: directory)
        let written = try Transformer.load(directory: directory, backend: backend)
        guard Verification.tokens(tokenizer, vocabularySize: written.spec.vocabularySize) == prompts else {
            throw ExportError.verificationFailed(path: plan.exportDirectory, reason: "its tokenizer cuts the prompts differently.")
        }
        return try verified(written, prompts: prompts, reference: reference, limit: Verification.usualLimit, plan: plan)
    }

    func tell(_ verification: Verification) {
        log(
            .info,
            "verified on \(verification.tokenCount) tokens: largest logit difference "
                + "\(NumberText.significant(Double(verification.largestDifference), digits: 3)), same next token "
                + "\(NumberText.fixed(100 * verification.agreement, digits: 1)) %, KL divergence "
                + "\(NumberText.significant(verification.divergence, digits: 3))")
    }

    /// Gives the folder its name. An earlier export steps aside first and is removed once the new one is in place.
    private func publish(_ partial: String, as directory: String) throws {
        guard FileSystem.exists(directory) else {
            try FileSystem.rename(partial, directory)
            return
        }
        let old = partial + ".old"
        try FileSystem.rename(directory, old)
        do {
            try FileSystem.rename(partial, directory)
        } catch {
            try? FileSystem.rename(old, directory)
            throw error
        }
        try? FileSystem.removeTree(old)
    }

    // MARK: Reports

    private func summary(_ plan: ExportPlan, _ verification: Verification, bytes: Int64, seconds: Double) -> JobSummary {
        JobSummary(
            values: [
                NamedValue("export_bytes", Double(bytes)), NamedValue("export_runtime", seconds),
                NamedValue("verified_tokens", Double(verification.tokenCount)),
                NamedValue("largest_logit_difference", Double(verification.largestDifference)),
                NamedValue("top1_agreement", verification.agreement), NamedValue("kl_divergence", verification.divergence),
            ],
            outputDirectory: plan.exportDirectory,
            text: "exported \(plan.isAdapter ? "the adapter, " : "")\(NumberText.bytes(bytes)) in \(plan.dtypeName), to \(plan.exportDirectory)")
    }

    func log(_ level: LogLevel, _ text: String) {
        sink.emit(.log(LogRecord(time: Clock.unixTime(), level: level, text: text)))
    }

    func heed(_ plan: ExportPlan) throws {
        control.waitWhilePaused()
        if control.isStopping { throw ExportError.aborted(path: plan.exportDirectory) }
    }
}
