import Platform

/// The languages of the board's own words.
public enum Language: String, CaseIterable, Sendable, Hashable {
    case english = "en"
    case chinese = "zh"
    case russian = "ru"
    case korean = "ko"
    case japanese = "ja"

    /// What its speakers call it.
    public var name: String {
        switch self {
        case .english: "English"
        case .chinese: "中文"
        case .russian: "Русский"
        case .korean: "한국어"
        case .japanese: "日本語"
        }
    }

    /// What stands between two sentences.
    var sentenceSpace: String { self == .chinese || self == .japanese ? "" : " " }

    /// The language of a locale's name such as `zh_CN.UTF-8` or `ja`; nil for one that the board does not speak.
    public init?(locale: String) {
        let code = locale.prefix { $0.isLetter }.lowercased()
        self.init(rawValue: code)
    }

    /// What the environment asks for: `LC_ALL`, `LC_MESSAGES`, `LANG`, the first that says something. English where nothing does.
    public static func fromEnvironment(_ value: (String) -> String? = Environment.value) -> Language {
        for name in ["LC_ALL", "LC_MESSAGES", "LANG"] {
            guard let locale = value(name), !locale.isEmpty else { continue }
            return Language(locale: locale) ?? .english
        }
        return .english
    }

    /// The translations that are built in.
    var builtIn: String {
        switch self {
        case .english: ""
        case .chinese: LanguageFiles.chinese
        case .russian: LanguageFiles.russian
        case .korean: LanguageFiles.korean
        case .japanese: LanguageFiles.japanese
        }
    }

    public var next: Language {
        let all = Language.allCases
        return all[((all.firstIndex(of: self) ?? 0) + 1) % all.count]
    }
}

/// One file per language: the texts stand in `Chinese.swift` and its neighbours.
enum LanguageFiles {}
