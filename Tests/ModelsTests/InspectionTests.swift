import Formats
import Models
import Platform
import Tensors
import Testing

/// `tuneboard inspect model`: what can be used, what cannot and why, and what it will take.
@Suite struct InspectionTests {
    @Test("models of every family can be used and nothing in their configurations is unknown", arguments: FamilyTests.families)
    func familiesAreUsable(family: String) throws {
        let inspection = try ModelInspection(directory: FamilyTests.directory(family), length: 64)
        #expect(inspection.problems.isEmpty && inspection.notices.isEmpty, "\(inspection.problems + inspection.notices)")
        let totals = Dictionary(uniqueKeysWithValues: inspection.memory.map { ($0.method, $0.totalBytes) })
        let summary = try #require(inspection.summary)
        #expect(totals[.full]! >= Int64(16 * summary.parameterCount))
        #expect(inspection.memory.allSatisfy { $0.activationBytes > 0 && $0.stateBytes > 0 })
    }

    @Test func methodsOfALargeModelTakeWhatTheyAreKnownToTake() throws {
        let folder = try ModelFolder(configuration: [
            "model_type": "llama", "vocab_size": 128_256, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
            "num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 131_072, "torch_dtype": "bfloat16",
        ])
        var found: [MemoryEstimate.Method: MemoryEstimate] = [:]
        for method in MemoryEstimate.Method.allCases {
            found[method] = try MemoryEstimate(method, folder: folder, dtype: .bfloat16, length: 2048)
        }
        let parameters: Int64 = 8_030_261_248
        let full = try #require(found[.full]), lora = try #require(found[.lora]), qlora = try #require(found[.qlora])
        #expect(full.weightBytes == 4 * parameters && full.stateBytes == 12 * parameters)
        #expect(lora.weightBytes == 2 * parameters && lora.stateBytes == 16 * 20_971_520)
        // 7.0 billion weights of linear layers at 4.13 bits, embedding and head in bf16.
        #expect(abs(Double(qlora.weightBytes) - 5.70e9) < 0.05e9 && qlora.stateBytes == lora.stateBytes)
        let totals = [MemoryEstimate.Method.qlora, .inference, .lora, .freeze, .full].compactMap { found[$0]?.totalBytes }
        #expect(totals == totals.sorted(), "\(totals)")
    }

    @Test func memoryGrowsWithTheLength() throws {
        let short = try ModelInspection(directory: Fixtures.llama, length: 32), long = try ModelInspection(directory: Fixtures.llama, length: 4096)
        for (less, more) in zip(short.memory, long.memory) {
            #expect(less.weightBytes == more.weightBytes && 20 * less.activationBytes < more.activationBytes, "\(less.method)")
        }
    }

    @Test func whatIsNotSupportedIsSaidWithItsReason() throws {
        try expect("\"clip_qkv\": 7.5 is not known for llama", isUsable: true) { $0.set("clip_qkv", 7.5) }
        try expect("\"attention_dropout\": 0.1: the base model's own dropout is not applied", isUsable: true) { $0.set("attention_dropout", 0.1) }
        try expect("\"vision_config\": this part of the model is not built here", isUsable: true) { $0.set("vision_config", ["depth": 3]) }
        try expect("the architecture \"mamba\" is not supported", isUsable: false) { $0.set("model_type", "mamba") }
        try expect("quantised with fp99", isUsable: false) { $0.set("quantization_config", ["quant_method": "fp99"]) }
        try expect("its text model, gemma3_text, is known here", isUsable: false) {
            $0 = ["model_type": "gemma3", "text_config": ["model_type": "gemma3_text"], "vision_config": ["depth": 3]]
        }
        try expect("the model's vision part is not built here", isUsable: false) {
            $0 = ["model_type": "gemma3", "text_config": ["model_type": "gemma3_text"], "vision_config": ["depth": 3]]
        }
        try expect("model.layers.*: 9 tensors without a place in llama", isUsable: false) { $0.set("num_hidden_layers", 1) }
    }

    private func expect(_ message: String, isUsable: Bool, _ change: (inout JSONObject) -> Void) throws {
        try Fixtures.withTemporaryDirectory { directory in
            try Fixtures.copy(Fixtures.llama, to: directory)
            try Fixtures.changeConfiguration(directory, change)
            let inspection = try ModelInspection(directory: directory, length: 16)
            let said = inspection.problems + inspection.notices
            #expect(inspection.isUsable == isUsable, "\(said)")
            #expect(said.contains { $0.contains(message) }, "\(said)")
        }
    }
}
