import Configuration
import Events
import Formats
import Models
import Platform
import Tensors
import Testing

@testable import Training

/// Runs by every method: what they train, that a resumed one ends as if nothing had happened, and what is refused before it begins.
@Suite("Runs by every method")
struct MethodRunTests {
    @Test("Killed and resumed, a run ends with the same weights, bit for bit", arguments: Self.methods)
    func resumesExactly(_ name: String, _ changes: [String: String]) throws {
        try Fixtures.withTemporaryDirectory { directory in
            let changes = changes.merging(["save_steps": "2", "num_train_epochs": "1"]) { first, _ in first }
            let whole = Path.join(directory, "whole"), parts = Path.join(directory, "parts")
            try Run(output: whole, changes: changes).finish()
            let killed = try Run(output: parts, changes: changes)
            killed.control(atStep: 3, .abort)
            #expect(throws: Interruption.aborted) { try killed.finish() }
            try Run(output: parts, changes: changes).finish()
            let file = ["freeze", "full"].contains(changes["finetuning_type"]) ? "model.safetensors" : "adapter_model.safetensors"
            #expect(try FileSystem.readBytes(Path.join(whole, file)) == FileSystem.readBytes(Path.join(parts, file)))
        }
    }

    static let methods: [(String, [String: String])] = [
        ("dora", ["use_dora": "true", "lora_dropout": "0.1"]), ("rslora", ["use_rslora": "true"]),
        ("pissa", ["pissa_init": "true", "pissa_convert": "true"]), ("pissa, exactly", ["pissa_init": "true", "pissa_iter": "-1"]),
        ("modules in full", ["additional_target": "embed_tokens,lm_head,norm"]), ("embeddings", ["lora_target": "embed_tokens,q_proj"]),
        ("oft", ["finetuning_type": "oft", "oft_block_size": "4", "module_dropout": "0.3"]), ("freeze", ["finetuning_type": "freeze", "freeze_trainable_layers": "1"]),
        ("neftune", ["neftune_noise_alpha": "5"]), ("longlora", ["shift_attn": "true", "additional_target": "norm"]),
    ]

    @Test("Killed and resumed with any optimizer, a run ends with the same weights and state, bit for bit", arguments: Self.optimizers)
    func resumesOptimizers(_ name: String, _ changes: [String: String]) throws {
        try resumesExactly(name, changes.merging(["finetuning_type": name == "LoRA+" ? "lora" : "full", "num_train_epochs": "2", "save_steps": "2"]) { first, _ in first })
        // Those of the weights themselves know no adapters.
        if changes["finetuning_type"] == nil {
            try resumesExactly(name, changes.merging(["save_steps": "3", "num_train_epochs": "2"]) { first, _ in first })
        }
    }

    static let optimizers: [(String, [String: String])] = [
        ("AdamW", [:]), ("AdamW in 8 bits", ["optim": "adamw_8bit"]), ("paged AdamW", ["optim": "paged_adamw_32bit"]),
        ("paged AdamW in 8 bits", ["optim": "paged_adamw_8bit"]), ("Adafactor", ["optim": "adafactor"]),
        ("SGD", ["optim": "sgd", "optim_args": "momentum=0.9"]), ("Adagrad", ["optim": "adagrad"]), ("RMSprop", ["optim": "rmsprop"]),
        ("Adam-mini", ["use_adam_mini": "true"]), ("Muon", ["use_muon": "true"]),
        ("BAdam", ["use_badam": "true", "badam_switch_interval": "3", "finetuning_type": "full"]),
        ("BAdam by share", ["use_badam": "true", "badam_mode": "ratio", "badam_update_ratio": "0.3", "finetuning_type": "full"]),
        ("GaLore", ["use_galore": "true", "galore_rank": "4", "galore_update_interval": "3", "finetuning_type": "full"]),
        ("APOLLO", ["use_apollo": "true", "apollo_rank": "4", "apollo_update_interval": "3", "finetuning_type": "full"]),
        ("AdamW on 16 bits", ["pure_bf16": "true", "finetuning_type": "full"]), ("LoRA+", ["loraplus_lr_ratio": "8"]),
    ]

    @Test("pissa_convert leaves the adapter as it began and one for the whole base")
    func converts() throws {
        try Fixtures.withTemporaryDirectory { directory in
            try Run(output: directory, changes: ["pissa_init": "true", "pissa_convert": "true", "num_train_epochs": "1"]).finish()
            let own = try AdapterFile.configuration(directory)
            #expect(own.start == .principal(iterations: 16))
            let converted = try AdapterFile.configuration(Path.join(directory, "pissa_converted"))
            #expect(converted.start == .plain)
            #expect(converted.rank == 2 * own.rank)
            #expect(try AdapterFile.configuration(Path.join(directory, "pissa_init")).start == .plain)
        }
    }

    @Test("The plan counts what each method trains and holds in memory")
    func plans() throws {
        func model(_ changes: [String: String]) throws -> Transformer {
            try Fixtures.withTemporaryDirectory { directory in
                var configuration = Configuration()
                let values = ["model_name_or_path": Fixtures.training + "/llama", "output_dir": directory, "dataset": "samples", "lora_rank": "4"]
                for (name, text) in values.merging(changes, uniquingKeysWith: { $1 }) { try configuration.set(name, text: text) }
                return try TrainableModel.planned(configuration, settings: TrainingSettings(configuration))
            }
        }
        func count(_ model: Transformer) -> Int { model.trainableParameters.reduce(0) { $0 + $1.count } }
        let plain = try model([:]), dora = try model(["use_dora": "true"])
        #expect(count(dora) - count(plain) == plain.linears.reduce(0) { $0 + $1.outputCount })
        let whole = try model(["additional_target": "embed_tokens"])
        #expect(count(whole) - count(plain) == plain.embedding.count)
        #expect(whole.adapterBytes - plain.adapterBytes == Int64(4 * plain.embedding.count))
        #expect(whole.baseBytes == plain.baseBytes)
        let pissa = try model(["pissa_init": "true"])
        #expect(pissa.adapterBytes > plain.adapterBytes)
        #expect(count(pissa) == count(plain))
        let freeze = try model(["finetuning_type": "freeze", "freeze_trainable_layers": "1", "freeze_trainable_modules": "mlp"])
        #expect(count(freeze) == 3 * 16 * 32)
        let oft = try model(["finetuning_type": "oft", "oft_block_size": "4", "oft_target": "q_proj"])
        #expect(count(oft) == 2 * 4 * 6)
    }
}
