"""The cues of assertion: phrases that say of a finding that it is absent, doubtful, past, conditional or a relative's.

After NegEx (Chapman et al. 2001, "A simple algorithm for identifying negated findings and diseases in discharge
summaries", J Biomed Inform 34(5)) and ConText (Harkema et al. 2009, "ConText: an algorithm for determining negation,
experiencer, and temporal status from clinical reports", J Biomed Inform 42(5)): a cue has a category and a direction,
and what ends its scope depends on the category. We differ in that the scope follows the cue's grammar, in the category
of doubt, and in that conditions of any kind are hypothetical. "Consistent with" is no doubt here: a report that says so
has decided. medspaCy has ConText ready to use, but on Python 3.11 asks for a spaCy below 3.8.
"""

from __future__ import annotations

from medlink.detection.assertion_kinds import FAMILY, HISTORICAL, HYPOTHETICAL, NEGATED, UNCERTAIN, Kind, Rule

_VERBS = (
    "has|have|had|is|are|was|were|reports?|reported|complains?|complained|presents|presented|develops?|developed|"
    "shows?|showed|reveals?|revealed|demonstrates?|demonstrated|admits?|admitted|endorses?|endorsed|remains?|remained|"
    "continues?|continued|appears?|appeared|suffers?|suffered|experiences?|experienced|exhibits?|exhibited|states?|"
    "stated|underwent|takes"
)
_SEEN = (
    "seen|noted|present|found|identified|observed|detected|appreciated|demonstrated|visuali[sz]ed|evident|apparent|"
    "reported|palpable|elicited"
)
_HAVE = (
    "has|have|had|having|show|showing|reveal|report|reporting|demonstrate|exhibit|complain of|complaining of|feel|"
    "experience|experienced|develop|developed|suffer from|see|seen|endorse|describe|describing|notice|noticed|noted|"
    "find|found|detect|suspect|get|display|displayed|displaying|manifested"
)
_BE = "is|are|was|were|has been|have been|had been|being"
_AUXILIARIES = "do does did is are was were has have had ca could would".split()
_NOT = "not|" + "|".join(f"{word}n['’]t|{word}nt" for word in _AUXILIARIES)
_CANNOT = "cannot|can not|can['’]t"
_POINTING = "consistent|compatible|suspicious|suggestive|concerning|worrisome|indicative|diagnostic"
_END = r"(?= ?(?:[.,;:)|]|$))"
_OUT = "ruled out|excluded"
_RELATIVE = (
    "mother|father|mom|dad|parents?|sisters?|brothers?|siblings?|grand(?:mother|father|parents?)|aunts?|uncles?|"
    "cousins?|nieces?|nephews?|sons?|daughters?|twin|half[- ](?:sister|brother)|husband|wife|spouse|"
    "family members?|relatives?"
)
_AILS = (
    "has|had|have|with|died|dies|deceased|passed away|is alive|alive|living|was diagnosed|were diagnosed|diagnosed|"
    "suffers|suffered|developed|is (?:a )?(?:\\w+ )?(?:with|affected)|was (?:also )?affected|are affected|"
    "also has|also had|both have|both had|positive for"
)
_TELLS = (
    "described|noted|noticed|reported|been|brought|given|tried|stated|observed|concerns?|seen|taken|called|not|no idea|"
    "witnessed|him|her|them|me|questions?|mentioned|told|said|felt|expressed"
)
_WHOSE = r"(?:his|her|their|the|a|an|one|two|three|both|several|multiple|patient['’]?s|my|your) "
_SIDE = r"(?:(?:maternal|paternal|older|younger|elder|half|first|great|other|identical|only|late|biological) )"
_AMOUNT = r"(?:\d+|one|two|three|four|five|six|seven|eight|ten|several|many|few|couple of|long|lengthy|chronic)"
_SPAN = r"(?:minute|hour|day|week|month|year)s?"

_NEGATION = (
    Rule(
        Kind.PSEUDO,
        (),
        (
            r"no (?:\w+ ){0,2}(?:increase|change|worsening|improvement)s?(?: in| of)?",
            "no further|no longer|no doubt|not only|not necessarily|not limited to",
            "without (?:any )?(?:further|difficulty|increase|change|worsening|exacerbating|aggravating|increasing)",
            rf"(?:{_NOT}) (?:\w+ )?(?:controlled|improved?|improving|resolved?|changed?|worsened|progressed)",
            "gram[- ]negative",
        ),
    ),
    Rule(
        Kind.AFTER,
        (NEGATED,),
        (
            rf"(?:{_BE}) (?:\w+ )?(?:ruled out|excluded|denied|absent|negative(?! for)|unlikely)",
            rf"(?:{_BE}) (?:{_NOT}) (?:\w+ )?(?:{_SEEN})",
            rf"(?:{_NOT}) (?:\w+ )?(?:{_SEEN})",
            rf"(?:absent|denied|negative|unlikely|ruled out|excluded)(?:(?= in | on | at )|{_END})",
            rf"(?::|\?|–|-|[|]) ?(?:no|none|nil|negative|denie[ds]|absent){_END}",
            "(?:no|none|nil)(?= ?$)",
        ),
    ),
    Rule(Kind.SUFFIX, (NEGATED,), ("-free", "free(?! of| from)")),
    Rule(Kind.PREFIX, (NEGATED,), ("non-",)),
    Rule(
        Kind.PHRASE,
        (NEGATED,),
        (
            r"(?:no|without) (?:\w+ )?(?:evidence|signs?|symptoms?|history|complaints?|indication) (?:of|for)",
            rf"no (?:\w+ ){{0,3}}(?:that (?:are|is) )?(?:{_POINTING}) (?:for|of|with)",
            rf"(?:{_NOT}) (?:\w+ )?(?:{_POINTING}) (?:for|of|with)",
            "(?:,|;|:) negative(?! for)",
            "no|without|w/o|absence of|negative for|free of|free from",
        ),
    ),
    Rule(
        Kind.CLAUSE,
        (NEGATED,),
        (
            rf"(?:{_NOT}|never) (?:\w+ ){{0,3}}(?:{_HAVE})",
            rf"no longer (?:\w+ )?(?:{_HAVE})",
            "fail(?:s|ed)? to (?:reveal|show|demonstrate)",
            rf"(?:{_BE}) ruled out for",
            "ruled out for|rules out|ruled out|excludes",
            rf"(?:{_NOT}) (?:appear|seem|look) (?:to )?(?:be|have|like)",
            "deny|denies|denied|denying|neither|nor|never|no evidence that|no evidence to suggest",
        ),
    ),
    Rule(Kind.NEAR, (NEGATED,), (rf"(?:{_NOT}|{_CANNOT})", "lack of|lacks|lacking")),
)
_DOUBT = (
    Rule(
        Kind.PSEUDO,
        (),
        (
            "as likely as|likely to (?:be )?(?:benefit|need|require)|if possible|as soon as possible|when possible",
            "(?:worst|best) possible|may be (?:a|an|another|the) (?:\\w+ )?(?:option|candidate|treatment)",
            "may be (?:given|used|taken|removed|discharged|continued|repeated|treated)",
            "concern(?:s|ed)? that",
        ),
    ),
    Rule(
        Kind.AFTER,
        (UNCERTAIN,),
        (
            rf"(?:{_CANNOT}|{_NOT}) (?:\w+ )?(?:be |been )?(?:\w+ )?(?:{_OUT})",
            rf"(?:has|have|had|is|was|are|were|could|can) not (?:\w+ )?(?:been |be )?(?:\w+ )?(?:{_OUT})",
            rf"(?:{_BE}) (?:\w+ )?(?:suspected|possible|probable|likely|questionable|questioned|considered|"
            r"presumed)(?= ?[.,;:)|]| ?$| (?:in|on|at|but|and|or|given|because|based|as|with|by|for|however))",
            r"(?:needs?|need|remains?) to be (?:ruled out|excluded|considered)|(?:remains?) (?:possible|a possibility)",
            r"(?:is|was|remains) (?:also )?(?:a|in the|on the|part of the) (?:\w+ )?(?:possibility|concern|"
            r"consideration|differential(?: diagnosis)?)",
            r"(?:would|could|might|may) (?:\w+ )?be (?:\w+ )?(?:considered|possible|present)",
            r"\? ?(?=[.,;)]|$)",
        ),
    ),
    Rule(Kind.BETWEEN, (UNCERTAIN,), ("versus|vs|vs[.]",)),
    Rule(Kind.PREFIX, (UNCERTAIN,), (r"[?]\s*", "question|query")),
    Rule(
        Kind.NEAR,
        (UNCERTAIN,),
        (
            "possible|possibly|probable|probably|likely|suspected|presumed|presumptive|presumably|questionable|perhaps",
            "potential|potentially|maybe|suspicious|suspicion|suspect|suspects|equivocal",
            "likely(?: to be| due to| secondary to| represents?| representing)",
        ),
    ),
    Rule(
        Kind.PHRASE,
        (UNCERTAIN,),
        (
            "rule out|rules? (?:her|him|them) out for|ruling out|r/o|to exclude|exclude|in order to exclude",
            rf"(?:{_NOT}|{_CANNOT}) (?:\w+ )?(?:rule out|exclude)",
            "(?:suspicious|suspicion|worrisome|concern|concerns|concerned|concerning) (?:for|of|about|regarding)",
            "suggest|suggests|suggested|suggesting|suggestive of|suggestion of|suspicious of|question of|queried",
            "(?:possibility|likelihood|probability|question|consideration) (?:of|for)",
            "(?:evaluate|evaluated|assess|check|look|looking|test|tested|workup|work-up|work up|screened) for",
            "evaluation for|assessment for",
            "differential(?: diagnosis)?(?: includes| included| of)?",
            "cannot exclude|cannot rule out|impression of possible",
            "versus possible|consider|considered to be|considering|considerations? (?:of|for)",
        ),
    ),
    Rule(
        Kind.CLAUSE,
        (UNCERTAIN,),
        (
            r"(?:may|might|could) (?:\w+ )?(?:have|be|represent|indicate|suggest|reflect|include)",
            "(?:unclear|uncertain|unsure|unknown|wonder|wonders|wondering|determine|question|see|ascertain|"
            "not (?:certain|sure|clear)) (?:if|whether)",
            "whether|suggests that|suggested that|suggesting that",
            "(?:probably|likely|possibly|presumably) (?:has|have|had|is|was|represents?|represented|represent)",
            "(?:what|which) (?:appears|seems|looks) (?:to be|like)|thought to be|thought to represent",
        ),
    ),
)
_HISTORY = (
    Rule(
        Kind.PSEUDO,
        (),
        (
            "history of (?:the )?(?:present|presenting|current)(?: illness| complaint| problem)?",
            "(?:history|hx) (?:and|&) (?:physical|signs|exam)|history as well as|brief history|clinical history",
            "(?:social|medical|surgical|birth|medication|drug|developmental|interval) history",
            "history (?:is|was) (?:obtained|given|provided|taken|limited)",
            rf"{_AMOUNT}(?:[- ](?:and a half[- ])?{_SPAN})?(?:[- ]?long)?(?: \w+)? history(?: of)?",
            rf"{_SPAN} history of|standing history of|{_SPAN}[- ]old",
            "old (?:man|woman|boy|girl|male|female|gentleman|lady)",
            "longstanding history of|previously for|prior to|previous to|previously (?:noted|described|mentioned|seen|"
            "indicated|stated|discussed)",
            "history of (?:sudden|acute|abrupt|gradual|on and off|progressive|worsening|increasing)|old records",
            r"\d+[- ]?(?:year|yr|month|week|day)s?[- ]old",
            "(?:previous|prior|old) (?:study|exam|examination|visit|films?|ct|mri|scan|report|x-?ray|note|admission)",
        ),
    ),
    Rule(
        Kind.PHRASE,
        (HISTORICAL,),
        (
            "(?:past|prior|previous|remote|known|personal|distant|significant|extensive|strong|positive|medical) "
            r"(?:(?!family)\w+ )?(?:history|hx) "
            "(?:of|for|significant for|includes|included|remarkable for|positive for)",
            "history of|hx of|h/o|history significant for|history is significant for|history positive for",
            "(?:history|hx) (?:is |was )?(?:\\w+ )?(?:significant|remarkable|notable|positive|pertinent) for",
            "past (?:\\w+ ){0,2}(?:history|hx) (?:is |was )?(?:\\w+ )?(?:significant|remarkable|notable|positive) for",
            "history includes|history included|history (?:is|was) of",
            "status post|s/p|status-post|post-status",
        ),
    ),
    Rule(Kind.CLAUSE, (HISTORICAL,), ("previously (?:had|developed|experienced|suffered)|used to have|used to get",)),
    Rule(
        Kind.NEAR,
        (HISTORICAL,),
        (
            "previous|previously|prior",
            "remote|former|formerly|old|past|childhood|healed|resolution of",
        ),
    ),
    Rule(
        Kind.AFTER,
        (HISTORICAL,),
        (
            "in the (?:remote |distant )?past(?! (?:\\w+ )?(?:few |couple of )?(?:hour|day|week|month|year)s?)",
            "as a (?:young )?(?:child|teenager|baby|infant|kid|boy|girl)",
            "in (?:early )?(?:childhood|infancy|adolescence|youth)|during (?:childhood|infancy|adolescence)",
            r"(?:\d+|one|two|three|four|five|six|seven|eight|nine|ten|several|many|some|a few|few|a couple of) "
            r"(?:years|decades) (?:ago|earlier|prior|before)",
            r"(?:a|one) (?:year|decade) ago|years ago|(?:last|the previous) year",
            "(?:has|have|had|is|was|now) (?:\\w+ )?(?:resolved|subsided|gone away)|resolved|which (?:has )?resolved",
            "(?:is|are) (?:now )?gone",
            r"(?:back )?in (?:the )?(?:19[0-9]0['’]?s|[5-9]0['’]?s)",
        ),
    ),
    Rule(
        Kind.STOP,
        (HISTORICAL,),
        (
            "presenting|presentation|admitted|brought|currently|now|today|this (?:morning|time)",
            "here (?:for|with|today)|comes|came|complaining|for evaluation|referred",
        ),
    ),
)
_CONDITION = (
    Rule(
        Kind.PSEUDO,
        (),
        (
            "as if|even if|(?:ask|asks|asked|asking) (?:\\w+ )?(?:if|whether)",
            "if any|if not|if so|if possible|if needed|if necessary|if indicated|what if",
            "when to return|call if needed",
        ),
    ),
    Rule(
        Kind.CLAUSE,
        (HYPOTHETICAL,),
        (
            "if|unless",
            "should (?:he|she|they|you|it|there|the patient|symptoms) (?:\\w+ )?(?:have|be|develop|experience|notice|"
            "occur|recur|become|get|return)",
            "in case of|in case|in the event of|in the event that|in the event",
            "(?:return|come back|go|call|contact|notify|seek|report) (?:\\w+ ){0,5}?(?:if|for (?:any|fevers?|worsening|"
            "increased|signs|new|severe|persistent)|with (?:any|signs|worsening))",
            "(?:or|and) with signs of|report any|watch for|look out for|monitor for|monitored for|watching for",
            "watched for|observe for|on the lookout for|signs and symptoms of|warning signs of",
        ),
    ),
    Rule(
        Kind.PHRASE,
        (HYPOTHETICAL,),
        (
            "(?:as needed|prn|p[.]r[.]n[.]|p[.]r[.]n)(?: for| any)?",
            "(?:at )?(?:(?:increased|high|higher|low|lower|elevated|significant|small|minimal) )?risks? "
            "(?:of|for|factors? for)",
            "prevent(?! (?:his|her|their|these))",
            "(?:prevention of|preventing|prophylaxis for|prophylaxis against|to avoid|avoidance of)",
            "screening for|predispose(?:s|d)? to|predisposes (?:\\w+ )?to|can cause|may cause|might cause|could cause",
            "can lead to|may lead to|could lead to|may result in|could result in|can result in",
            "side effects (?:of|such as|including|include|like)",
        ),
    ),
    Rule(
        Kind.WHOLE,
        (HYPOTHETICAL,),
        (
            r"risks? (?:[\w,]+ ){0,14}?including(?:,? but not limited to)?",
            "risk factors such as",
            "(?:risks?)(?:,? (?:and )?(?:benefits|alternatives|complications|risks|options)"
            ")*(?: of (?:the )?(?:\\w+ ){1,4}?)? (?:include|includes|included|including|to include|such as|"
            "would include|are|were discussed,? including)(?:,? but (?:are )?not limited to)?",
            "(?:possible|potential) (?:complications|risks|side effects)",
        ),
    ),
    Rule(
        Kind.AFTER,
        (HYPOTHETICAL,),
        ("precautions|prophylaxis|prevention|screening|(?:occurs|occur|develops|recurs|worsens|returns) (?=then )",),
    ),
)
_EXPERIENCER = (
    Rule(
        Kind.PSEUDO,
        (),
        (
            "family (?:physicians?|doctors?|practice|medicine|practitioners?|planning|meeting|history was not)",
            "family social history|family (?:and|or) social",
            rf"(?:with|by|from|per|to) (?:{_WHOSE})?(?:mother|father|mom|dad|parents?|husband|wife|daughter|son|family)"
            r"(?: (?:today|who|present|and)|(?=[.,]))",
        ),
    ),
    Rule(
        Kind.STOP,
        (HISTORICAL,),
        (
            r"(?:lives?|living|here|presents?|brought|accompanied|seen|came|comes|visiting|discussed) (?:\w+ ){0,3}?"
            rf"(?:with|by) (?:{_WHOSE})?(?:{_RELATIVE})(?: with(?! (?:a )?(?:history|diabetes|cancer)))?",
        ),
    ),
    Rule(
        Kind.WHOLE,
        (NEGATED, FAMILY),
        (
            r"no (?:known |significant |other |strong )?family (?:history|hx)(?: of| for)?",
            r"(?:negative|unremarkable|noncontributory|non-contributory) family (?:history|hx)(?: of| for)?",
            r"family (?:history|hx):? (?:is |was )?(?:\w+ )?(?:negative|unremarkable|noncontributory)(?: for)?",
        ),
    ),
    Rule(
        Kind.WHOLE,
        (FAMILY,),
        (
            r"(?:family|familial) (?:medical |psychiatric )?(?:history|hx)(?: of| for|:)?",
            "fhx|fh:|fam hx",
            rf"(?:{_RELATIVE}) (?:(?:is|was|and|also|both|who|apparently|reportedly) ){{0,2}}?(?:{_AILS})"
            rf"(?: of| from| at age| to)?(?! (?:{_TELLS}))",
            rf"(?:{_RELATIVE})(?:['’]s)? (?:history|hx|side)(?: of)?",
            rf"(?:{_RELATIVE}) ?(?::|\(|-(?= )|–)",
        ),
    ),
    Rule(
        Kind.AFTER,
        (FAMILY,),
        (
            rf"(?:in|on|of) (?:{_WHOSE})?(?:{_SIDE}){{0,2}}(?:{_RELATIVE})(?! (?:history|room|has|had))",
            "(?:in|on) (?:the|his|her|their) (?:\\w+ )?(?:family|side of the family|(?:mother|father)['’]?s side)",
            r"runs? in (?:the|his|her|their) family|runs? in families",
            rf"\( ?(?:{_SIDE})?(?:{_RELATIVE}) ?\)",
        ),
    ),
    Rule(
        Kind.STOP,
        (FAMILY,),
        (
            "(?:the |this )?(?:patient|pt)(?!['’]?s? (?:mother|father|family|sister|brother|parents|aunt|uncle|grand))",
            "and (?:he|she)(?= (?:himself|herself|has|had|also|is|was) )|he himself|she herself|personal history",
        ),
    ),
)
_SCOPE_ENDS = (
    Rule(
        Kind.STOP,
        (NEGATED, UNCERTAIN, HYPOTHETICAL),
        (
            "but|however|although|though|except|besides|other than|apart from|aside from|nevertheless|yet|whereas",
            "while|because|until",
        ),
    ),
    Rule(Kind.STOP, (NEGATED,), ("positive for",)),
    Rule(
        Kind.STOP,
        (NEGATED, UNCERTAIN, HISTORICAL),
        ("which|who",),
    ),
    Rule(
        Kind.STOP,
        (NEGATED, UNCERTAIN),
        (
            "due to|secondary to|caused by|attributed to",
            "(?:cause|causes|etiology|origin|source|reason|explanation|explanations) (?:of|for)",
        ),
    ),
    Rule(Kind.BREAK, (NEGATED, UNCERTAIN, HISTORICAL, FAMILY), (";",)),
    Rule(Kind.BREAK, (NEGATED, UNCERTAIN), (r":(?=\s)",)),
    Rule(Kind.VERB, (), (_VERBS, "being|he|she|they|there|the patient|and (?:the|his|her|their)")),
)

RULES: tuple[Rule, ...] = (*_EXPERIENCER, *_NEGATION, *_DOUBT, *_HISTORY, *_CONDITION, *_SCOPE_ENDS)
"""All cues."""
