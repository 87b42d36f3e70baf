import Models
import Platform
import Tensors
import Testing

/// The reference programs, where they are installed. Set TUNEBOARD_PYTHON to an interpreter that has transformers and peft; without
/// it only the committed fixtures are compared.
enum Python {
    static var interpreter: String? { Environment.value("TUNEBOARD_PYTHON").flatMap { FileSystem.isExecutable($0) ? $0 : nil } }

    /// Lets transformers (and peft) open what we wrote and compares their logits with ours.
    static func compareLogits(_ python: String, model: String, adapter: String?, logits: [Float]) throws {
        try Fixtures.withTemporaryDirectory { directory in
            let ours = Path.join(directory, "ours.safetensors")
            try TensorFile.write(ours, tensors: [("logits", Tensor(logits, shape: [logits.count]))])
            let script = Path.join(Path.directory(Fixtures.directory), "generate", "open_ours.py")
            let result = try ProcessRunner.run([python, script, model, adapter ?? "", ours])
            #expect(result.ending == .exited(0), "\(String(decoding: result.output, as: UTF8.self))")
        }
    }

    /// The same for several models in one process, with their own sequences.
    static func compareLogits(
        _ python: String, models: [(directory: String, batch: PackedBatch, logits: [Float])], adapter: String = ""
    ) throws {
        try Fixtures.withTemporaryDirectory { directory in
            var arguments = [python, Path.join(Path.directory(Fixtures.directory), "generate/open_ours.py")]
            for (index, model) in models.enumerated() {
                let ours = Path.join(directory, "\(index).safetensors")
                let lengths = model.batch.lengths.map { Int32($0) }
                try TensorFile.write(
                    ours,
                    tensors: [
                        ("logits", Tensor(model.logits, shape: [model.logits.count])),
                        ("tokens", Tensor(integers: model.batch.tokens, shape: [model.batch.tokens.count])),
                        ("lengths", Tensor(integers: lengths, shape: [lengths.count])),
                    ])
                arguments += [model.directory, adapter, ours]
            }
            let result = try ProcessRunner.run(arguments)
            #expect(result.ending == .exited(0), "\(String(decoding: result.output, as: UTF8.self))")
        }
    }
}
