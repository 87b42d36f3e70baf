import Formats
import Platform
import Testing

@testable import Training

@Suite("The folder that a run writes to")
struct OutputDirectoryTests {
    @Test("A folder with a finished model and no checkpoint is refused unless overwriting is allowed")
    func refusesOutput() throws {
        try Fixtures.withTemporaryDirectory { directory in
            try FileSystem.writeAtomically(Path.join(directory, "adapter_model.safetensors"), text: "x")
            #expect(throws: TrainingError.outputDirectoryNotEmpty(path: directory, found: "adapter_model.safetensors")) {
                try Run(output: directory)
            }
            try Run(output: directory, changes: ["overwrite_output_dir": "true"]).finish()
            #expect(throws: TrainingError.noCheckpoint(directory: directory + "/nowhere")) {
                try Run(output: directory, changes: ["resume_from_checkpoint": directory + "/nowhere"])
            }
        }
    }

    @Test("What no run made is not replaced, whatever is allowed: files of one's own, and the model that is trained")
    func sparesOthers() throws {
        try Fixtures.withTemporaryDirectory { directory in
            let mine = Path.join(directory, "README.md")
            try FileSystem.writeAtomically(mine, text: "mine")
            for allowed in ["true", "false"] {
                #expect(throws: TrainingError.outputDirectoryForeign(path: directory, found: "README.md")) {
                    try Run(output: directory, changes: ["overwrite_output_dir": allowed])
                }
            }
            #expect(try FileSystem.readText(mine) == "mine")
            // An earlier run's folder may be written over.
            try FileSystem.writeAtomically(Path.join(directory, "trainer_log.jsonl"), text: "")
            _ = try Run(output: directory, changes: ["overwrite_output_dir": "true"])
            for name in ["config.json", "model.safetensors", "tokenizer.json"] {
                try FileSystem.copy(Path.join(Fixtures.training + "/llama", name), Path.join(directory, name))
            }
            let own = directory + "/."
            #expect(throws: TrainingError.outputDirectoryIsSource(path: directory, argument: "model_name_or_path", source: own)) {
                try Run(output: directory, changes: ["overwrite_output_dir": "true", "model_name_or_path": own])
            }
        }
    }

    @Test("Only what a run left is cleared, and never what the new one reads: a picture beside it stays, an adapter in a checkpoint too")
    func clearsRunsOnly() throws {
        try Fixtures.withTemporaryDirectory { directory in
            let mine = Path.join(directory, "training_photo.png"), shard = Path.join(directory, "model-00001-of-00002.safetensors")
            try FileSystem.writeAtomically(shard, text: "mine")
            #expect(throws: TrainingError.outputDirectoryForeign(path: directory, found: Path.name(shard))) { try Run(output: directory) }
            try FileSystem.remove(shard)
            try FileSystem.writeAtomically(mine, text: "mine")
            for overwrites in ["false", "true"] {
                try Run(output: directory, changes: ["overwrite_output_dir": overwrites]).finish()
                #expect(try FileSystem.readText(mine) == "mine")
            }
            let checkpoint = try #require(CheckpointFolder.all(in: directory).last).path
            let sources = [("adapter_name_or_path", directory), ("adapter_name_or_path", checkpoint), ("ref_model_adapters", checkpoint + "/.")]
            for (argument, source) in sources {
                #expect(throws: TrainingError.outputDirectoryIsSource(path: directory, argument: argument, source: source)) {
                    try Run(output: directory, changes: ["overwrite_output_dir": "true", argument: source])
                }
            }
            #expect(FileSystem.exists(Path.join(checkpoint, "adapter_model.safetensors")))
        }
    }

    @Test("A model beside which an evaluation wrote is nobody's run, and data in a run's folder is not cleared while it is read")
    func sparesWhatEvaluationsAreMadeOf() throws {
        try Fixtures.withTemporaryDirectory { directory in
            for name in ["all_results.json", "eval_results.json", "predict_results.json", "model.safetensors"] {
                try FileSystem.writeAtomically(Path.join(directory, name), text: "{}")
            }
            #expect(throws: TrainingError.outputDirectoryForeign(path: directory, found: "model.safetensors")) {
                try Run(output: directory, changes: ["overwrite_output_dir": "true"])
            }
            let run = Path.join(directory, "run"), answers = Path.join(run, "generated_predictions.jsonl")
            try Run(output: run).finish()
            try FileSystem.writeAtomically(answers, text: #"{"prompt": "a", "predict": "b", "label": "c"}"#)
            #expect(throws: TrainingError.outputDirectoryIsSource(path: run, argument: "dataset", source: answers)) {
                try Run(output: run, changes: ["overwrite_output_dir": "true", "dataset": answers])
            }
            #expect(FileSystem.exists(answers))
        }
    }

    @Test("What has the name of a checkpoint and is none is put aside")
    func keepsOtherFoldersOfThatName() throws {
        try Fixtures.withTemporaryDirectory { directory in
            let place = Path.join(directory, "checkpoint-3")
            for text in ["mine", "mine too"] {
                try FileSystem.createDirectory(place)
                try FileSystem.writeAtomically(Path.join(place, "notes.txt"), text: text)
                try CheckpointFolder.write(step: 3, in: directory) { partial in
                    try FileSystem.writeAtomically(Path.join(partial, CheckpointFolder.lastFile), text: "{}")
                }
                #expect(try FileSystem.list(place) == [CheckpointFolder.lastFile])
                try FileSystem.removeTree(place)
            }
            #expect(try FileSystem.readText(Path.join(directory, "checkpoint-3.other/notes.txt")) == "mine")
            #expect(try FileSystem.readText(Path.join(directory, "checkpoint-3.other-2/notes.txt")) == "mine too")
            #expect(CheckpointFolder.all(in: directory).isEmpty)
        }
    }
}
