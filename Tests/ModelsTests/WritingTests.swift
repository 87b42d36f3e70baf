import Configuration
import Events
import Exporting
import Formats
import Models
import Platform
import Synchronization
import Tensors
import Testing
import Tokenizers

/// Checkpoints written by us, and whole exports.
@Suite struct WritingTests {
    @Test func whatIsWrittenIsReadBackTheSame() throws {
        for shardBytes in [Int64(20_000), 5_000_000_000] {
            try Fixtures.withTemporaryDirectory { directory in
                let model = try Transformer.load(directory: Fixtures.llama, backend: backend)
                let writer = CheckpointWriter(model, options: .init(maximumShardBytes: shardBytes))
                #expect(try writer.write(to: directory))
                let names = try FileSystem.list(directory).filter { $0.hasSuffix(".safetensors") }
                #expect(names == writer.shards().map(\.name))
                #expect((names.count > 1) == FileSystem.exists(Path.join(directory, "model.safetensors.index.json")))
                let again = try Transformer.load(directory: directory, backend: backend)
                for (left, right) in zip(model.parameters, again.parameters) { #expect(left.value.floats() == right.value.floats()) }
                #expect(FileSystem.exists(Path.join(directory, "tokenizer.json")))
                #expect(try ModelFolder(directory: directory).declaredType == .float32)
            }
        }
    }

    @Test func anotherTypeIsWrittenIntoTheConfiguration() throws {
        try Fixtures.withTemporaryDirectory { directory in
            let model = try Transformer.load(directory: Fixtures.llama, backend: backend)
            try CheckpointWriter(model, options: .init(dtype: .bfloat16)).write(to: directory)
            let again = try Transformer.load(directory: directory, backend: backend)
            #expect(again.embedding.value.dtype == .bfloat16)
            #expect(again.folder.declaredType == .bfloat16)
            let expected = try Fixtures.tensors("llama-expected.safetensors")
            #expect(largestDifference(logits(again, try Fixtures.batch()), try #require(expected["logits.widened"])) < 1e-4)
        }
    }

    @Test func mergedWeightsAnswerLikeBaseAndAdapter() throws {
        try Fixtures.withTemporaryDirectory { directory in
            let model = try Transformer.load(directory: Fixtures.llama, backend: backend)
            try AdapterFile.load(Fixtures.adapter, into: model)
            let together = logits(model, try Fixtures.batch())
            try CheckpointWriter(model).write(to: directory)
            let merged = try Transformer.load(directory: directory, backend: backend)
            #expect(largestDifference(logits(merged, try Fixtures.batch()), together) < 1e-4)
            #expect(logits(model, try Fixtures.batch()) == together)
            #expect(model.hasAdapter)
        }
    }

    @Test func transformersOpensWhatWeWrite() throws {
        guard let python = Python.interpreter else { return }
        try Fixtures.withTemporaryDirectory { directory in
            let model = try Transformer.load(directory: Fixtures.llama, backend: backend)
            try AdapterFile.load(Fixtures.adapter, into: model)
            try CheckpointWriter(model, options: .init(maximumShardBytes: 20_000)).write(to: directory)
            try Python.compareLogits(python, model: directory, adapter: nil, logits: logits(model, try Fixtures.batch()))
        }
        try Fixtures.withTemporaryDirectory { directory in
            let model = try Transformer.load(directory: Fixtures.qwen2, backend: backend)
            try CheckpointWriter(model).write(to: directory)
            try Python.compareLogits(python, model: directory, adapter: nil, logits: logits(model, try Fixtures.batch()))
        }
    }

    @Test func anExportIsCompleteVerifiedAndReplacesAnEarlierOne() throws {
        try Fixtures.withTemporaryDirectory { parent in
            let directory = Path.join(parent, "merged")
            let sink = RecordingSink()
            for type in ["bfloat16", "auto"] {
                let configuration = Self.configuration(directory, adapters: [Fixtures.adapter, Fixtures.secondAdapter], type: type)
                let summary = try ExportJob(configuration: configuration, sink: sink, control: JobControl()).run()
                let values = Dictionary(uniqueKeysWithValues: summary.values.map { ($0.name, $0.value) })
                #expect(try #require(values["kl_divergence"]) < 1e-3)
                #expect(try #require(values["verified_tokens"]) > 20)
            }
            #expect(
                try FileSystem.list(directory) == [
                    "Modelfile", "README.md", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
                ])
            #expect(try FileSystem.list(parent) == ["merged"])
            let expected = try Fixtures.tensors("llama-adapter-expected.safetensors")
            let merged = try Transformer.load(directory: directory, backend: backend)
            #expect(largestDifference(logits(merged, try Fixtures.batch()), try #require(expected["logits.stacked"])) < 1e-4)
            #expect(sink.phases.contains("verifying"))
        }
    }

    @Test func aNamedTemplateIsWrittenAndItsEndStopsGeneration() throws {
        try Fixtures.withTemporaryDirectory { parent in
            let source = Path.join(parent, "base")
            try Fixtures.copy(Fixtures.llama, to: source)
            let settings = Path.join(source, "tokenizer_config.json")
            var object = try JSONValue.read(file: settings).objectValue ?? [:]
            object.remove("chat_template")
            object.set("eos_token", "<pad>")
            try FileSystem.writeAtomically(settings, text: JSONValue.object(object).text())
            let directory = Path.join(parent, "merged")
            var configuration = Self.configuration(directory)
            configuration[.modelNameOrPath] = source
            configuration[.template] = "vicuna"
            _ = try ExportJob(configuration: configuration, sink: RecordingSink(), control: JobControl()).run()
            #expect(try Tokenizer(directory: directory).chatTemplateSource?.contains("ASSISTANT:") == true)
            let generation = try JSONValue.read(file: Path.join(directory, "generation_config.json"))
            #expect(generation["eos_token_id"] == [1, 2])
            #expect(generation["bos_token_id"] == 0)
        }
    }

    @Test func aStoppedExportLeavesNothingAndTheEarlierOneInPlace() throws {
        try Fixtures.withTemporaryDirectory { parent in
            let directory = Path.join(parent, "merged")
            let configuration = Self.configuration(directory)
            for earlier in [false, true] {
                if earlier { _ = try ExportJob(configuration: configuration, sink: RecordingSink(), control: JobControl()).run() }
                let control = JobControl()
                let sink = RecordingSink { event in
                    if case .progress(let record) = event, record.completed == 5 { control.post(.abort) }
                }
                #expect(throws: ExportError.aborted(path: directory)) {
                    try ExportJob(configuration: configuration, sink: sink, control: control).run()
                }
                #expect(try FileSystem.list(parent) == (earlier ? ["merged"] : []))
            }
            #expect(throws: Never.self) { try Transformer.load(directory: directory, backend: backend) }
        }
    }

    @Test func aPlanSaysWhatAnExportWillTake() throws {
        try Fixtures.withTemporaryDirectory { parent in
            let configuration = Self.configuration(Path.join(parent, "new", "merged"), type: "bfloat16")
            let plan = try ExportJob.plan(configuration)
            #expect(plan.totalBytes == 32576 && plan.dtypeName == "bfloat16" && plan.parameterCount == 16288)
            #expect(plan.files.map(\.name) == ["model.safetensors"])
            #expect(plan.freeDiskBytes > 0 && !plan.replacesExport)
            #expect(plan.warnings == ["No adapter is given: the model itself is written again."])
        }
    }

    @Test func anExportReplacesAnEarlierOneAndNothingElse() throws {
        try Fixtures.withTemporaryDirectory { parent in
            // A model that no export wrote is somebody's own, whatever its files are called.
            let model = Path.join(parent, "model")
            try FileSystem.createDirectory(model)
            for name in ["config.json", "model-00001-of-00003.safetensors"] { try FileSystem.copy(Path.join(Fixtures.llama, name), Path.join(model, name)) }
            try expect(ExportError.folderInUse(path: model), model)
            let card = Path.join(model, "README.md")
            try FileSystem.writeAtomically(card, text: "---\ntags:\n- llama\n---\n")
            #expect(!ExportTarget.isExport(model))
            // Nor is a model that a run trained as a whole, and whose logs are gone.
            try FileSystem.writeAtomically(card, text: "---\ntags:\n- tuneboard\n- generated_from_trainer\n---\n")
            try expect(ExportError.folderInUse(path: model), model)
            try FileSystem.writeAtomically(card, text: "---\ntags:\n- tuneboard\n---\n")
            #expect(ExportTarget.isExport(model))
            #expect(try ExportJob.plan(Self.configuration(model, type: "bfloat16")).replacesExport)
            // With notes or a run beside the weights it is more than an export.
            for (name, isFolder) in [("NOTES.txt", false), ("lora", true)] {
                let path = Path.join(model, name)
                if isFolder { try FileSystem.createDirectory(path) } else { try FileSystem.writeAtomically(path, text: "mine") }
                try expect(ExportError.folderInUse(path: model), model)
                try FileSystem.removeTree(path)
            }
        }
    }

    @Test func exportsThatCannotBeMadeAreRefusedBeforeAnythingIsWritten() throws {
        try Fixtures.withTemporaryDirectory { parent in
            try FileSystem.writeAtomically(Path.join(parent, "diary.txt"), text: "mine")
            try expect(ExportError.folderInUse(path: parent), parent)
            try expect(ExportError.folderIsSource(path: Fixtures.llama), Fixtures.llama)
            try expect(ExportError.missingArgument("export_dir"), nil)
            #expect(try FileSystem.list(parent) == ["diary.txt"])
        }
    }

    private func expect(_ error: ExportError, _ directory: String?) throws {
        let configuration = Self.configuration(directory)
        #expect(throws: error) { try ExportJob(configuration: configuration, sink: RecordingSink(), control: JobControl()).run() }
    }

    private static func configuration(
        _ directory: String?, adapters: [String] = [], type: String = "auto"
    ) -> Configuration {
        var configuration = Configuration()
        configuration[.modelNameOrPath] = Fixtures.llama
        configuration[.exportDir] = directory
        configuration[.adapterNameOrPath] = adapters
        configuration[.inferDtype] = type
        return configuration
    }
}

/// Keeps the phases and shows every event to a test.
final class RecordingSink: EventSink {
    private let seen = Mutex<[String]>([])
    private let observe: @Sendable (JobEvent) -> Void

    init(observe: @escaping @Sendable (JobEvent) -> Void = { _ in }) { self.observe = observe }

    var phases: [String] { seen.withLock { $0 } }

    func emit(_ event: JobEvent) {
        if case .phase(let name) = event { seen.withLock { $0.append(name) } }
        observe(event)
    }
}
