import Configuration
import Platform
import Testing

@testable import Runs

/// Folders that are missing because an earlier step has not run.
@Suite struct EarlierStepTests {
    @Test func theRecipeOrCommandThatMakesAFolderIsFound() throws {
        let folder = try TemporaryFolder()
        try folder.write("chain/1_sft.yaml", "# First\noutput_dir: saves/first   # here\n")
        try folder.write("chain/2_rm.yaml", "adapter_name_or_path: saves/first\noutput_dir: \"saves/second/\"\n")
        try folder.write("merge.yml", "export_dir: exports/whole\n")
        try folder.write("pro.yaml", "# Make it first:\n#     tuneboard prepare blocks --output_dir saves/pro --num_expand 5\noutput_dir: saves/other\n")
        func found(_ path: String) -> String? { EarlierStep.command(making: path, folders: [folder.path]) }
        #expect(found("saves/first") == "tuneboard train \(folder.path)/chain/1_sft.yaml")
        #expect(found("saves/second") == "tuneboard train \(folder.path)/chain/2_rm.yaml")
        #expect(found(Path.absolute("saves/first")) == found("saves/first"))
        #expect(found("exports/whole") == "tuneboard export \(folder.path)/merge.yml")
        #expect(found("saves/pro") == "tuneboard prepare blocks --output_dir saves/pro --num_expand 5")
        #expect(found("saves/none") == nil && found("saves") == nil)
    }

    @Test func everyMissingStepOfOurRecipesIsNamed() throws {
        let root = Path.directory(Path.directory(Path.directory(#filePath)))
        func found(_ path: String) -> String? {
            EarlierStep.command(making: path, folders: [Path.join(root, "recipes")])?.replacing(root + "/", with: "")
        }
        #expect(found("saves/demo-model/lora/belle-sft") == "tuneboard train recipes/belle/1_sft.yaml")
        #expect(found("saves/demo-model/lora/belle-reward") == "tuneboard train recipes/belle/2_rm.yaml")
        #expect(found("saves/demo-model-pro")?.hasPrefix("tuneboard prepare blocks --model_name_or_path saves/demo-model --output_dir") == true)
    }
}
