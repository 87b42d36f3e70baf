import Configuration
import Events
import Platform
import Testing

@testable import Runs

@Suite struct EarlierRunTests {
    @Test(arguments: [
        ("saves/run", ["run"], "saves/run-2"), ("saves/run/", ["run", "run-2"], "saves/run-3"), ("saves/run-2", ["run", "run-2"], "saves/run-3"),
        ("saves/run-9", ["run-9", "run-10"], "saves/run-11"), ("saves/run-2026", ["run-2026"], "saves/run-2026-2"), ("r8", ["r8"], "r8-2"),
        ("saves/run-007", ["run-007"], "saves/run-8"), ("-5", ["-5"], "-5-2"),
    ])
    func `a new folder is called after the old one`(_ folder: String, _ neighbours: [String], _ expected: String) {
        let run = EarlierRun(folder: folder, state: .finished, step: 0, totalSteps: 0, checkpointStep: nil, neighbours: neighbours)
        #expect(run.freeFolder() == expected)
        #expect(run.freeFolder { $0 == expected } != expected)
    }

    @Test func `only what would be lost is in the way`() throws {
        let folder = try TemporaryFolder()
        let output = Path.join(folder.path, "run")
        var configuration = Configuration()
        for (name, text) in [("model_name_or_path", "models/tiny"), ("dataset", "identity"), ("output_dir", output), ("overwrite_output_dir", "true")] {
            try configuration.set(name, text: text)
        }
        #expect(EarlierRun.inTheWay(of: configuration) == nil, "there is no folder")
        try FileSystem.createDirectory(output)
        try FileSystem.writeAtomically(Path.join(output, "running_log.txt"), text: "nothing came of it\n")
        #expect(EarlierRun.inTheWay(of: configuration) == nil, "a log alone is no loss")
        let checkpoint = Path.join(output, "checkpoint-7")
        try FileSystem.createDirectory(checkpoint)
        try FileSystem.writeAtomically(Path.join(checkpoint, "adapter_model.safetensors"), text: "weights")
        #expect(EarlierRun.inTheWay(of: configuration)?.checkpointStep == 7)
        #expect(EarlierRun.inTheWay(of: [PlannedJob(kind: .evaluate, configuration: configuration)]) == nil, "an evaluation adds to a run")
        try configuration.set("resume_from_checkpoint", text: "true")
        #expect(EarlierRun.inTheWay(of: configuration) == nil)
    }
}
