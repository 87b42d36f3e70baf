/// The language of a text: by its script where that says it, by its commonest words among the languages written in Latin letters. A text
/// too short to tell is of every language of its script.

struct LanguageGuess: Sendable, Equatable {
    /// ISO 639-1 codes that the text may be in; empty for a text without words.
    let candidates: [String]

    /// Codes that rules may name.
    static let known = (commonWords.map(\.code) + ["zh", "ja", "ko", "ru", "uk", "ar", "fa", "he", "hi", "el", "th"]).sorted()

    init(_ measure: TextMeasure) {
        func count(_ script: Script) -> Int { measure.scripts[script.rawValue] }
        guard let main = Script.allCases.max(by: { count($0) < count($1) }), count(main) > 0 else {
            candidates = []
            return
        }
        switch main {
        // A Japanese text has kana all over; a Chinese one may quote some.
        case .han, .kana: candidates = 20 * count(.kana) > count(.han) + count(.kana) ? ["ja"] : ["zh"]
        case .hangul: candidates = ["ko"]
        case .cyrillic: candidates = [measure.ukrainianLetters > 0 ? "uk" : "ru"]
        case .arabic: candidates = [measure.persianLetters > 0 ? "fa" : "ar"]
        case .hebrew: candidates = ["he"]
        case .devanagari: candidates = ["hi"]
        case .greek: candidates = ["el"]
        case .thai: candidates = ["th"]
        case .other: candidates = ["other"]
        case .latin: candidates = LanguageGuess.latin(measure.words)
        }
    }

    /// Those whose common words the text has most of; all where it has none, or where two have as many.
    private static func latin(_ words: [UInt64]) -> [String] {
        var counts = [Int](repeating: 0, count: commonWords.count)
        for word in words {
            guard let languages = languagesByWord[word] else { continue }
            for index in languages { counts[index] += 1 }
        }
        let most = counts.max() ?? 0
        return commonWords.indices.filter { most == 0 || counts[$0] == most }.map { commonWords[$0].code }
    }

    private static let languagesByWord: [UInt64: [Int]] = {
        var table: [UInt64: [Int]] = [:]
        for (index, language) in commonWords.enumerated() {
            for word in language.words.split(separator: " ") { table[WordHash.of(String(word)), default: []].append(index) }
        }
        return table
    }()

    /// Articles, pronouns, prepositions and conjunctions: the words that every text of a language is full of.
    private static let commonWords: [(code: String, words: String)] = [
        ("en", "the of and to in is it that was for on are with as his they at be this from have or had by not but what all were when your can said there use an each which she how their if will up other about out many then them these so some her would make like him into has"),
        ("de", "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder aber vor zur bis mehr durch man sein wurde wenn"),
        ("fr", "le la de et les des en un une du que est pour qui dans a par plus pas au sur ne se ce il sont mais avec ou elle nous vous aux son sa cette ces ont être fait comme leur si tout dont aussi je"),
        ("es", "de la que el en y a los se del las un por con no una su para es al lo como más pero sus le ya o este sí porque esta entre cuando muy sin sobre también me hasta hay donde quien desde todo nos durante"),
        ("pt", "de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi ao ele das tem à seu sua ou ser quando muito há nos já está eu também só pelo pela até isso ela entre era depois"),
        ("it", "di e il la che in a per un è del non sono una con si da come le dei nel alla più anche i della gli al lo ma ha o su questo se nella delle suo quando loro dal essere ci io perché ed"),
        ("nl", "de van een het en in is dat op te zijn met voor niet aan er om ook als dan maar bij hij nog uit naar door over ze wel geen worden heeft deze je had wordt tot of wat ik was"),
        ("pl", "i w na z do się nie to że jest jak o po od za ale co przez dla są tak jego był być może tym oraz czy ten przy już które także tego lub ich tylko"),
        ("tr", "bir ve bu da de için ile çok olarak daha gibi en kadar sonra ne var ama o olan her ya mi değil ben olduğu ancak veya ise göre diye"),
        ("vi", "và của là có không được cho một các trong với những người này để khi đã về từ cũng như tôi đó nhiều ra vào đến sẽ bạn hay làm"),
        ("id", "yang dan di itu dengan untuk tidak ini dari dalam akan pada juga saya ke karena ada oleh adalah atau mereka sudah bisa seperti kita kami lebih"),
        ("sv", "och i att det som en på är av för med till den har de inte om ett han men var jag sig från vi så kan när år under också efter eller nu sin där vid mot ska"),
    ]
}
