/// `tuneboard inspect`: a model's shape and needs, and its numbers for given tokens, to compare with other programs.

import Datasets
import Formats
import Models
import Platform
import Tensors

enum InspectCommand {
    static func run(_ invocation: Invocation) throws -> Int32 {
        switch invocation.words.first {
        case "forward": return try forward(invocation)
        case "model": return try model(invocation)
        case nil, _?: throw UsageError("which one? tuneboard inspect forward|model")
        }
    }

    private static func forward(_ invocation: Invocation) throws -> Int32 {
        guard invocation.words.count == 1 else { throw UsageError("`\(invocation.words[1])` is one word too many.") }
        guard let directory = invocation.value("model_name_or_path"), let input = invocation.value("input"),
            let output = invocation.value("output")
        else { throw UsageError("tuneboard inspect forward needs --model_name_or_path, --input and --output") }
        let adapter = invocation.value("adapter_name_or_path"), wantsGradients = invocation.has("gradients")
        let models = [directory] + [adapter].compactMap { $0 }
        let sources = [input] + models.flatMap { folder in ((try? FileSystem.list(folder)) ?? []).map { Path.join(folder, $0) } }
        try RowTarget.check(output, sources: sources, overwrites: true)
        let inspection = try ForwardInspection(file: input)
        let model = try Transformer.load(
            directory: directory, backend: CPUBackend(), options: LoadOptions(dtype: .float32, trainsBase: wantsGradients && adapter == nil))
        if let adapter { try AdapterFile.load(adapter, into: model, isTrainable: wantsGradients) }
        try inspection.check(model.spec, file: input)
        let tensors = inspection.run(model, hiddenStates: invocation.has("hidden_states"), gradients: wantsGradients)
        try TensorFile.write(output, tensors: tensors)
        Output.print("\(tensors.count) tensors in \(output)")
        return ExitCode.done
    }

    private static func model(_ invocation: Invocation) throws -> Int32 {
        guard invocation.words.count == 2 else { throw UsageError("tuneboard inspect model DIR") }
        var length = 2048
        if let text = invocation.value("cutoff_len") {
            guard let number = Int(text), number > 0, number <= 1 << 20 else {
                throw UsageError("--cutoff_len must be a number of tokens from 1 to 1048576, found \(text)")
            }
            length = number
        }
        let inspection = try ModelInspection(directory: invocation.words[1], length: length)
        let rows = facts(inspection)
        if invocation.isJSON {
            var object = JSONObject(rows.map { ($0.name, .string($0.value)) })
            object.set("usable", .bool(inspection.isUsable))
            object.set("problems", .array(inspection.problems.map { .string($0) }))
            object.set("notices", .array(inspection.notices.map { .string($0) }))
            Output.print(JSONValue.object(object).text(style: .indented(2)))
        } else {
            for line in Columns.lines(rows.map { [$0.name, $0.value] }) { Output.print(line) }
            for problem in inspection.problems { Output.print("not supported: \(problem)") }
            for notice in inspection.notices { Output.print("note: \(notice)") }
        }
        return ExitCode.done
    }

    private static func facts(_ inspection: ModelInspection) -> [(name: String, value: String)] {
        guard let summary = inspection.summary else {
            return [("architecture", inspection.architecture.isEmpty ? "unknown" : inspection.architecture), ("can be used", "no")]
        }
        let spec = summary.spec
        let adapter = summary.adapterParameterCount(targets: ["all"], rank: 8)
        var rows = [
            ("architecture", spec.className.isEmpty ? spec.modelType : "\(spec.className) (\(spec.modelType))"),
            ("can be used", inspection.isUsable ? "yes" : "no"),
            ("parameters", NumberText.grouped(summary.parameterCount)),
            ("stored as", "\(summary.quantization.map { "\($0), the rest " } ?? "")\(summary.dtype), \(NumberText.bytes(summary.weightBytes))"),
            ("weights", summary.weightsKind ?? "none that can be read: only a model from scratch can be made"),
            ("layers", String(spec.layerCount)),
            ("hidden size", String(spec.hiddenSize)),
            ("heads", "\(spec.headCount) of \(spec.headDimension), \(spec.keyValueHeadCount) for keys and values"),
            ("vocabulary", NumberText.grouped(spec.vocabularySize)),
            ("positions", NumberText.grouped(spec.maximumPositions)),
            ("head", spec.tiesEmbeddings ? "the embedding" : "of its own"),
        ]
        if let mixture = spec.mixture {
            rows.append(("experts", "\(mixture.expertCount) in \(mixture.layers.count) layers, \(mixture.expertsPerToken) for a token"))
        }
        rows.append(("LoRA of rank 8", "\(NumberText.grouped(adapter)) trainable"))
        for estimate in inspection.memory { rows.append(("memory, \(name(estimate.method))", text(estimate))) }
        return rows
    }

    private static func name(_ method: MemoryEstimate.Method) -> String {
        switch method {
        case .inference: "chat"
        case .lora: "LoRA of rank 8"
        case .qlora: "QLoRA, 4 bits"
        case .freeze: "last 2 layers"
        case .full: "full training"
        }
    }

    /// One sequence; blocks are recomputed on the way back.
    private static func text(_ estimate: MemoryEstimate) -> String {
        let state = estimate.method == .inference ? "cache" : "gradients and optimizer"
        return "\(NumberText.bytes(estimate.totalBytes)): weights \(NumberText.bytes(estimate.weightBytes)), \(state) "
            + "\(NumberText.bytes(estimate.stateBytes)), activations of \(NumberText.grouped(estimate.length)) tokens "
            + NumberText.bytes(estimate.activationBytes)
    }
}
