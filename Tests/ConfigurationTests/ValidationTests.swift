import Testing

@testable import Configuration

@Suite struct ValidationTests {
    private let sound = "model_name_or_path: m\nstage: sft\ndo_train: true\ndataset: d\noutput_dir: o\n"

    private func errors(_ text: String, for command: Command = .train) throws -> [String] {
        try Configuration.parse(text, name: "r.yaml").validate(for: command).filter { $0.severity == .error }.compactMap(\.argument)
    }

    @Test func aSoundRecipeHasNoErrors() throws {
        #expect(try errors(sound) == [])
        #expect(try Configuration.parse(sound, name: "r.yaml").validate(for: .train) == [])
    }

    @Test func whatIsMissingIsNamed() throws {
        #expect(try errors("") == ["model_name_or_path", "do_train", "output_dir"])
        #expect(try errors("do_train: true") == ["model_name_or_path", "output_dir", "dataset"])
        #expect(try errors("", for: .export) == ["model_name_or_path", "export_dir"])
        #expect(try errors("model_name_or_path: m", for: .evaluate) == ["eval_dataset"])
        #expect(try errors("", for: .chat) == ["model_name_or_path"])
    }

    @Test("The type of numbers counts for an export without a card; data beside a benchmark are told of; abbreviations are guessed")
    func tellsWhatCounts() throws {
        func notices(_ text: String, _ command: Command) throws -> [String] {
            try Configuration.parse(text, name: "r.yaml").validate(for: command).filter { $0.severity == .notice }.compactMap(\.argument)
        }
        #expect(try !notices("model_name_or_path: m\nexport_dir: e\ninfer_dtype: bfloat16\ndevice: cpu\n", .export).contains("infer_dtype"))
        #expect(try notices("model_name_or_path: m\ninfer_dtype: bfloat16\ndevice: cpu\n", .chat).contains("infer_dtype"))
        #expect(try notices("model_name_or_path: m\ntask: mmlu_test\neval_dataset: d\n", .evaluate).contains("eval_dataset"))
        #expect(ArgumentTable.nearest("lernrate") == "learning_rate" && ArgumentTable.nearest("zzzzzz") == nil)
    }

    @Test(arguments: [
        ("eval_strategy: steps", "eval_dataset"),
        ("val_size: 0.1\neval_dataset: e", "val_size"),
        ("val_size: 1.5", "val_size"),
        ("bf16: true\nfp16: true", "fp16"),
        ("train_on_prompt: true\nmask_history: true", "mask_history"),
        ("load_best_model_at_end: true", "load_best_model_at_end"),
        ("load_best_model_at_end: true\neval_strategy: steps\nval_size: 0.1\neval_steps: 300\nsave_steps: 500", "save_steps"),
        ("load_best_model_at_end: true\neval_strategy: epoch\nval_size: 0.1", "load_best_model_at_end"),
        ("early_stopping_steps: 3", "early_stopping_steps"),
        ("streaming: true", "max_steps"),
        ("logging_steps: 0", "logging_steps"),
        ("logging_steps: 2.5", "logging_steps"),
        ("max_steps: 0", "max_steps"),
        ("num_train_epochs: 0", "num_train_epochs"),
        ("finetuning_type: full\nadapter_name_or_path: a", "adapter_name_or_path"),
        ("use_galore: true\nuse_badam: true\nfinetuning_type: full", "use_badam"), ("use_galore: true", "use_galore"),
        ("use_muon: true\noptim: adafactor", "optim"),
        ("use_apollo: true\nfinetuning_type: full\napollo_layerwise: true\ngradient_accumulation_steps: 2", "apollo_layerwise"),
        ("optim: galore_adamw\nfinetuning_type: full", "optim_target_modules"),
        ("stage: pt\ntrain_on_prompt: true", "train_on_prompt"),
        ("do_predict: true\neval_dataset: e", "predict_with_generate"),
        ("optim: lomo", "optim"),
        ("device: gpu", "device"),
    ])
    func rulesBetweenArgumentsAreKept(lines: String, argument: String) throws {
        var text = sound
        for line in lines.split(separator: "\n") {
            let name = line.prefix { $0 != ":" }
            text = text.split(separator: "\n").filter { !$0.hasPrefix(name + ":") }.joined(separator: "\n") + "\n" + line + "\n"
        }
        #expect(try errors(text) == [argument])
    }

    @Test func quantisedBasesNeedAdapters() throws {
        #expect(try errors(sound + "quantization_bit: 4\n") == [])
        #expect(try errors(sound + "quantization_bit: 4\nfinetuning_type: full\n") == ["quantization_bit"])
        #expect(try errors(sound + "quantization_bit: 5\n") == ["quantization_bit"])
        #expect(try errors(sound + "quantization_bit: 4\nquantization_method: hqq\n") == ["quantization_method"])
    }

    @Test func fractionsOfStepsCountAsMultiplesToo() throws {
        let text = sound + "load_best_model_at_end: true\neval_strategy: steps\nval_size: 0.1\neval_steps: 0.1\nsave_steps: 0.3\n"
        #expect(try errors(text) == [])
    }

    @Test func settingsThatDoNothingHereAreNotedAndNotRefused() throws {
        let problems = try Configuration.parse(sound + "torch_compile: true\nfinetuning_type: full\nlora_rank: 16\nsave_steps: 100\n", name: "r.yaml")
            .validate(for: .train)
        #expect(problems.map(\.severity) == [.notice, .notice])
        #expect(problems.map(\.argument) == ["torch_compile", "lora_rank"])
        #expect(problems.last?.message == "lora_rank has no effect. Only with finetuning_type lora.")
    }

    @Test func trackersThatAreNotCalledAreNoted() throws {
        let problems = try Configuration.parse(sound + "report_to: [wandb, tensorboard]\n", name: "r.yaml").validate(for: .train)
        #expect(problems.map(\.severity) == [.notice])
        #expect(problems.first?.message.hasPrefix("wandb is not called") == true)
    }

    @Test func typedWritesAreCheckedToo() {
        var configuration = Configuration()
        configuration[.loraRank] = -3
        #expect(configuration.validate(for: .train).contains { $0.argument == "lora_rank" && $0.severity == .error })
    }

    @Test func theNearestNameIsFound() {
        #expect(ArgumentTable.nearest("learing_rate") == "learning_rate")
        #expect(ArgumentTable.nearest("lora_aplha") == "lora_alpha")
        #expect(ArgumentTable.nearest("num-train-epoch") == "num_train_epochs")
        #expect(ArgumentTable.nearest("xyzzy") == nil)
    }
}
