import Formats
import Platform
import Testing

@testable import Configuration

/// The same run in the words of other programs.
@Suite struct LaunchTests {
    /// The arguments of LLaMA-Factory 0.9.5 with their defaults, as Tests/Fixtures/generate/board.py read them from the package.
    private static let factory: [String: JSONValue] = {
        let path = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        let text = (try? FileSystem.readText("/\(path)/Fixtures/board/llamafactory_arguments.tsv")) ?? ""
        var table: [String: JSONValue] = [:]
        for line in text.split(separator: "\n").dropFirst() {
            let parts = line.split(separator: "\t", maxSplits: 1)
            if parts.count == 2 { table[String(parts[0])] = try? JSONValue.parse(String(parts[1]), name: String(parts[0])) }
        }
        return table
    }()

    private func run() throws -> Configuration {
        var configuration = Configuration()
        for (name, value) in [
            ("model_name_or_path", "my models/tiny"), ("stage", "sft"), ("finetuning_type", "lora"), ("dataset", "identity,facts"),
            ("template", "llama3"), ("learning_rate", "1e-4"), ("output_dir", "saves/tiny/lora/first"), ("lora_rank", "16"),
            ("gradient_accumulation_steps", "4"), ("per_device_train_batch_size", "2"),
        ] { try configuration.set(name, text: value) }
        return configuration
    }

    @Test func everyArgumentThatIsHandedOverExistsThere() {
        #expect(Self.factory.count > 300)
        for argument in ArgumentTable.all where argument.group != .tuneboard && !FactoryArguments.foreign.contains(argument.name) {
            #expect(Self.factory[argument.name] != nil, "\(argument.name) is unknown there: list it as foreign")
        }
        for name in FactoryArguments.foreign { #expect(Self.factory[name] == nil, "\(name) exists there") }
    }

    /// What is not written out must mean the same there.
    @Test func defaultsAreTheSameThere() {
        for argument in ArgumentTable.all where argument.group != .tuneboard && !FactoryArguments.foreign.contains(argument.name) {
            guard let theirs = Self.factory[argument.name] else { continue }
            let ours: JSONValue =
                switch argument.defaultValue {
                case .list(let names): names.isEmpty ? .null : .string(names.joined(separator: ","))
                case .numbers(let numbers): numbers.isEmpty ? .null : .string(argument.defaultText)
                case .mapping(let object): object.isEmpty ? .null : .object(object)
                case .null, .flag, .integer, .number, .text: argument.defaultValue.json
                }
            // No list, no tracker: the same, said otherwise.
            let isNothing = ours == .null && (theirs == .array([]) || theirs == .string("none"))
            let isEqual = isNothing || ours == theirs || ours.doubleValue != nil && ours.doubleValue == theirs.doubleValue
            #expect(isEqual, "\(argument.name): \(ours) here, \(theirs) there")
        }
    }

    @Test func trainingBecomesATrainingThere() throws {
        var configuration = try run()
        try configuration.set("device", text: "cpu")
        try configuration.set("threads", text: "2")
        try configuration.set("pure_bf16", text: "true")
        let text = configuration.launch(.factory, for: .train).text
        #expect(text.hasPrefix("env OMP_NUM_THREADS=2 llamafactory-cli train --do_train True "))
        #expect(text.contains("--model_name_or_path 'my models/tiny'"))
        #expect(text.contains("--dataset identity,facts"))
        #expect(text.contains("--learning_rate 0.0001"))
        #expect(text.contains("--use_cpu True"))
        #expect(!text.contains("--device") && !text.contains("--threads"))
    }

    @Test func evaluatingBecomesATrainingRunThatOnlyEvaluates() throws {
        let configuration = try run()
        let words = configuration.launchWords(.factory, for: .evaluate)
        #expect(words.starts(with: ["llamafactory-cli", "train", "--do_eval", "True"]))
        #expect(!words.contains("--do_train"))
    }

    @Test func chatLeavesTheTrainersArgumentsOutAndSaysSo() throws {
        var configuration = try run()
        try configuration.set("seed", text: "7")
        let launch = configuration.launch(.factory, for: .chat)
        #expect(launch.text.hasPrefix("llamafactory-cli chat "))
        #expect(!launch.text.contains("--seed"))
        #expect(launch.notes.contains { $0.contains("seed") })
    }

    @Test func smallNumbersAreNumbersForPyYAML() throws {
        var configuration = try run()
        try configuration.set("learning_rate", text: "3e-5")
        let text = configuration.launch(.factoryYAML, for: .train).text
        #expect(text.contains("learning_rate: 3.0e-05\n"))
        #expect(text.contains("do_train: true\n"))
        #expect(text.contains("dataset: identity,facts\n"))
    }

    @Test func secretsAreLeftOutAndNamed() throws {
        var configuration = try run()
        try configuration.set("hub_token", text: "very-secret")
        for style in LaunchStyle.allCases {
            #expect(!configuration.launch(style, for: .train).text.contains("very-secret"))
        }
        #expect(configuration.launch(.factory, for: .train).notes.contains { $0.contains("hub_token") })
    }

    @Test(arguments: [LaunchStyle.zero2, .zero3, .fsdp, .slurm])
    func scriptsHoldEverythingTheyNeed(style: LaunchStyle) throws {
        let launch = try run().launch(style, for: .train, shape: LaunchShape(machines: 3, devicesPerMachine: 4))
        #expect(launch.fileName == "first.sh")
        #expect(launch.text.hasPrefix("#!/usr/bin/env bash\n"))
        #expect(launch.text.contains("cat > launch/first.yaml <<'YAML'\n"))
        #expect(launch.text.contains("-m llamafactory.launcher launch/first.yaml"))
        // 2 samples x 4 accumulated x 12 devices
        #expect(launch.text.contains("96 in all"))
        #expect(launch.text.contains("deepspeed: ") == (style != .fsdp))
        #expect(launch.text.contains("\"stage\": \(style == .zero2 ? 2 : 3)") == (style != .fsdp))
        #expect(launch.text.contains("#SBATCH --nodes=3") == (style == .slurm))
        // The shell itself says whether it can read the script.
        let result = try ProcessRunner.run(["/bin/bash", "-n", "-c", launch.text])
        #expect(result.ending == .exited(0), "\(String(decoding: result.output, as: UTF8.self))")
    }

    @Test func aFolderWithAHostileNameGivesAPlainFileName() throws {
        var configuration = try run()
        for folder in ["saves/$(reboot)", "saves/-rf", "saves/..", "saves/漢字", "saves/a b;c"] {
            try configuration.set("output_dir", text: folder)
            let name = configuration.launch(.slurm, for: .train).fileName
            #expect(name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }, "\(name)")
            #expect(!name.hasPrefix("-") && !name.hasPrefix("."))
        }
    }

    @Test func absurdNumbersAreWrittenAndDoNotTrap() throws {
        var configuration = try run()
        try configuration.set("per_device_train_batch_size", text: "2147483647")
        try configuration.set("gradient_accumulation_steps", text: "2147483647")
        #expect(configuration.launch(.zero3, for: .train).text.contains("in all"))
    }
}
