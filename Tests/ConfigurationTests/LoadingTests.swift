import Platform
import Testing

@testable import Configuration

/// In the layout of LLaMA-Factory's own examples: comments, plain words, numbers in every spelling.
private let recipe = """
    ### model
    model_name_or_path: models/tiny-llama
    trust_remote_code: true

    ### method
    stage: sft
    do_train: true
    finetuning_type: lora
    lora_rank: 8
    lora_target: all

    ### dataset
    dataset: identity,alpaca_en_demo
    template: llama3
    cutoff_len: 2_048
    max_samples: 1000
    preprocessing_num_workers: 16
    dataloader_num_workers: 4

    ### output
    output_dir: saves/tiny/lora/sft
    logging_steps: 10
    save_steps: 500
    plot_loss: true
    overwrite_output_dir: true
    save_only_model: false
    report_to: none  # choices: [none, wandb, tensorboard, swanlab, mlflow]

    ### train
    per_device_train_batch_size: 1
    gradient_accumulation_steps: 8
    learning_rate: 1.0e-4
    num_train_epochs: 3.0
    lr_scheduler_type: cosine
    warmup_ratio: 0.1
    bf16: true
    ddp_timeout: 180000000
    resume_from_checkpoint: null

    ### eval
    # eval_dataset: alpaca_en_demo
    # val_size: 0.1
    """

@Suite struct LoadingTests {
    private func load(_ text: String, _ overrides: [String] = []) throws -> Configuration {
        let directory = try FileSystem.createTemporaryDirectory()
        defer { try? FileSystem.removeTree(directory) }
        let path = Path.join(directory, "recipe.yaml")
        try FileSystem.writeAtomically(path, text: text)
        return try Configuration.load(file: path, overrides: overrides)
    }

    /// The sentences of what is wrong, without the changing folder.
    private func failures(_ text: String, _ overrides: [String] = []) -> [String] {
        do {
            _ = try load(text, overrides)
            return []
        } catch let errors as ConfigurationErrors {
            return errors.failures.map { failure in
                let sentence = failure.description
                guard let range = sentence.range(of: "recipe.yaml") else { return sentence }
                return String(sentence[range.lowerBound...])
            }
        } catch {
            return ["\(error)"]
        }
    }

    @Test func aRecipeOfLLaMAFactoryRunsUnchanged() throws {
        let configuration = try load(recipe)
        #expect(configuration[.modelNameOrPath] == "models/tiny-llama")
        #expect(configuration[.dataset] == ["identity", "alpaca_en_demo"])
        #expect(configuration[.learningRate] == 1e-4)
        #expect(configuration[.cutoffLen] == 2048)
        #expect(configuration[.warmupRatio] == 0.1)
        #expect(configuration[.reportTo] == ["none"])
        #expect(configuration[.resumeFromCheckpoint] == nil)
        #expect(configuration[.ddpTimeout] == 180_000_000)
        #expect(configuration[.bf16])
        let problems = configuration.validate(for: .train)
        #expect(problems.filter { $0.severity == .error } == [])
        #expect(problems.contains { $0.argument == "ddp_timeout" && $0.severity == .notice })
        #expect(problems.contains { $0.argument == "trust_remote_code" && $0.place?.hasSuffix("recipe.yaml, line 3") == true })
    }

    @Test(arguments: [
        ["--learning_rate", "5e-5", "--plot_loss", "--dataset=a,b", "max_steps=-1", "--do_eval", "true"],
        ["learning_rate=5.0e-5", "--plot-loss", "--dataset", "[a, b]", "--max_steps", "-1", "do_eval=yes"],
    ])
    func overridesComeInEverySpelling(words: [String]) throws {
        let configuration = try load("learning_rate: 1e-4\nplot_loss: false\n", words)
        #expect(configuration[.learningRate] == 5e-5)
        #expect(configuration[.plotLoss])
        #expect(configuration[.dataset] == ["a", "b"])
        #expect(configuration[.maxSteps] == -1)
        #expect(configuration[.doEval])
    }

    @Test func flagsCanBeTakenBack() throws {
        let configuration = try load("do_sample: true", ["--no_do_sample", "--no-use-fast-tokenizer"])
        #expect(!configuration[.doSample])
        #expect(!configuration[.useFastTokenizer])
    }

    @Test func everyProblemIsToldAtOnceWithPlaceAndAllowedValues() {
        let found = failures(
            """
            stage: sfft
            learning_rate: abc
            lora_rnak: 8
            cutoff_len: 0
            lora_dropout: 1
            packing: perhaps
            dataset: [a, {b: c}]
            """, ["--max_steps", "many", "stray", "--warmup_steps"])
        #expect(
            found == [
                #"recipe.yaml, line 1: stage is "sfft"; it must be one of pt, sft, rm, ppo, dpo, kto. Did you mean sft?"#,
                #"recipe.yaml, line 2: learning_rate is "abc"; it must be a number, at least 0."#,
                "recipe.yaml, line 3: there is no argument lora_rnak. Did you mean lora_rank?",
                "recipe.yaml, line 4: cutoff_len is 0; it must be at least 1.",
                "recipe.yaml, line 5: lora_dropout is 1; it must be at least 0 and below 1.",
                #"recipe.yaml, line 6: packing is "perhaps"; it must be true, false or null."#,
                #"recipe.yaml, line 7: dataset is "{"b":"c"}"; it must be a list of names with commas between them, or null."#,
                #"command line: max_steps is "many"; it must be a whole number, at least -1."#,
                #"command line: "stray" belongs to no argument; write name=value or --name value."#,
                "command line: warmup_steps has no value; it must be a number, at least 0.",
            ])
    }

    @Test func brokenFilesAreNamedWithTheirLine() {
        #expect(failures("stage: [sft\nlora_rank: 8\n").first?.hasPrefix("recipe.yaml, line 2") == true)
        #expect(failures("- stage\n").first?.contains("a mapping of argument names") == true)
        #expect(failures("stage: sft\nstage: pt\n") == ["recipe.yaml, line 2, column 1: stage is there twice; keep one of them."])
        #expect(throws: ConfigurationErrors.self) { try Configuration.load(file: "/nowhere/recipe.yaml") }
    }

    @Test func formerNamesAreTranslatedAndNoted() throws {
        let configuration = try load(
            """
            evaluation_strategy: steps
            dpo_beta: 0.2
            group_by_length: true
            save_safetensors: true
            """)
        #expect(configuration[.evalStrategy] == "steps")
        #expect(configuration[.prefBeta] == 0.2)
        #expect(configuration[.trainSamplingStrategy] == "group_by_length")
        let notes = configuration.notices.map(\.text)
        #expect(notes.contains("evaluation_strategy is now called eval_strategy."))
        #expect(notes.contains("save_safetensors has no effect any more. Weights are always saved as safetensors."))
    }

    @Test func wordsOfYAMLStandForThemselvesWhereWordsAreExpected() throws {
        let configuration = try load(
            """
            eval_strategy: no
            include_num_input_tokens_seen: true
            run_name: 007
            template: on
            lr_scheduler_kwargs: {num_cycles: 2, power: 1.5}
            deepspeed: {zero_optimization: {stage: 2}}
            """)
        #expect(configuration[.evalStrategy] == "no")
        #expect(configuration[.includeNumInputTokensSeen] == "all")
        #expect(configuration[.runName] == "007")
        #expect(configuration[.template] == "on")
        #expect(configuration[.lrSchedulerKwargs]["num_cycles"]?.intValue == 2)
        #expect(configuration[.deepspeed] == #"{"zero_optimization": {"stage": 2}}"#)
    }

    @Test func jsonRecipesAreReadToo() throws {
        let configuration = try Configuration.parse(#"{"stage": "pt", "learning_rate": 1e-3, "dataset": ["a", "b"], "bf16": true}"#, name: "r.json")
        #expect(configuration[.stage] == "pt")
        #expect(configuration[.learningRate] == 1e-3)
        #expect(configuration[.dataset] == ["a", "b"])
    }
}

extension String {
    /// The first place where `other` stands in this text; Foundation is not linked here.
    fileprivate func range(of other: String) -> Range<String.Index>? { ranges(of: other).first }
}
