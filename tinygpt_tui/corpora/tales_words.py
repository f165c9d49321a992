"""The words of *tales* that are used once and forgotten, and the sentences that fit into many plots.

Words after "a" start with a consonant, all of them. The notation is explained in `synthetic.Notation`.
"""

COLOURS = "red|blue|green|yellow|white|brown|purple|pink|golden|silver|grey|black"

RULES = {
    # Words that are used once and forgotten.
    "trait": """
        [kind|quiet|cheerful|curious|gentle|busy|dreamy|clever|merry|polite|shy|lively|friendly|thoughtful|patient|
        sensible]""",
    "hobby": """
        [sing|draw|climb trees|paint|dance|read|collect shells|count the stars|bake|dig in the mud|hum|tell jokes|
        jump in puddles|make up songs|ask questions|look for beetles|watch the clouds|wear odd socks|walk on walls|
        run barefoot|look at maps|feed the birds|stand on one leg|talk to the moon]""",
    "house": """
        [small|tall|crooked|white|cosy|narrow|stone|yellow] house [by the sea|on a hill|in the wood|next to the mill|
        near the river|above the bakery|at the end of a lane|behind the church|in a quiet street|under a big tree]""",
    "colour": f"[{COLOURS}]",
    "mood": """
        [sleepy|proud|hungry|shy|noisy|lazy|muddy|fat|dizzy|grumpy|tiny|spotted|funny|fluffy|polite|dusty|wet|jolly|
        brave|gentle|clumsy|sandy|sunburnt|clever]""",
    "beast": """
        [fox|hare|hen|goat|cat|dog|pony|cow|duck|pig|snail|toad|crow|goose|bee|deer|frog|mole|bear|wolf|lion|camel|
        parrot|seal]""",
    "creature": "a [|<mood>, ]<mood> <beast>",
    "some_creature": "A [|<mood>, ]<mood> <beast>",
    "person": "[farmer|baker|sailor|postman|fiddler|painter|fisherman|miller|shepherd|teacher|gardener|king]",
    "number": "[two|three|four|five|six|seven|eight|nine]",
    "things": """
        [stones|feathers|buttons|shells|keys|spoons|bells|leaves|candles|coins|corks|beads|ribbons|flags|eggs|hats|
        bottles|marbles|forks|whistles]""",
    "treasure": "<number> [|<size> ]<colour> <things>",
    "still": "[windy|misty|frosty|still|warm|cold|quiet|starry]",
    "size": "[small|big|old|new|round|tiny|shiny|dusty]",
    "spoke": "[said|called|sang|laughed]",
    "sobbed": "[said|whispered|muttered|sniffed]",
    "worn": "<colour> [boots|socks|gloves|mittens|shoes|trousers|slippers|braces]",
    "landmark": """
        a [low|long|tall|broken|crooked|round|mossy|dark] [bridge|fence|mill|well|wall|gate|tower|barn|hedge|tree]""",
    "pet": "[Button|Pepper|Biscuit|Pebble|Captain|Mop|Thimble|Star|Pickle|Marble]",
    "baked": """
        [warm|sweet|sticky|crisp|little|round|plain|fresh] [buns|rolls|pancakes|biscuits|tarts|pies|muffins|waffles]""",
    "fruit": """
        [big|small|sweet|fine|fresh|ripe|cold|juicy] [apples|pears|plums|cherries|figs|grapes|berries|peaches]""",
    "drink": "[cocoa|hot milk|apple juice|mint tea|lemonade|soup|cold water|honey tea]",
    "stuff": "[planks|sticks|boxes|branches|barrels|old doors|bricks|crates]",
    "bits": "[rope|nails|string|wire|glue|ribbon|tape|buttons]",
    "cloth": "<colour> [sheets|curtains|sacks|blankets|towels|shawls|rugs|flags]",
    "warmly": """
        [kindly|gladly|brightly|warmly|cheerfully|gently|softly|happily|merrily|with a smile|with a grin|with a nod]""",
    "sadly": "[sadly|softly|quietly|slowly|glumly|in a small voice|with a sob|with a sigh]",
    "glad": "[happy|proud|glad|full of joy|pleased|merry|warm inside|full of songs]",
    "sad": "[sad|unhappy|upset|lonely|miserable|gloomy|glum|hurt]",
    "oh": "[Oh no|Oh dear|Goodness|Dear me|Oh my|Alas|Bother|Help]",
    "hooray": "[Hooray|Hurrah|Look|Yes|At last|How lovely|Wonderful|Hey]",
    # Sentences that fit into many plots.
    "once": """
        [Once there was a [|little ]{hero.kind} [called|named] {hero} who loved to <hobby>.|
        {hero} was a <trait> {hero.kind} who [loved|liked] to <hobby>.|
        In a <house> lived a <trait> {hero.kind} [called|named] {hero}.|
        There was once a <trait> {hero.kind} whose name was {hero}.|
        {hero} lived in a <house> and loved to <hobby>.]
        [{hero.He} wore <worn>[|, even in bed].|
        {hero.He} kept <treasure> in {hero.his} [pocket|hat|bag|left boot].|
        {hero.He} had <creature> [called|named] <pet>.|
        {hero.He} knew <creature> in <worn>.|
        {hero.He} had <baked> and <drink> [every day|on Sundays|for breakfast].]""",
    "day": "[One|On a] {sky} [morning|day|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday]",
    "sight": """
        [<creature>|a <person> with <treasure>|<landmark>|
        <number> <mood> [geese|mice|hens|pigs|ducks|frogs|bees|goats]]""",
    "sights": "[saw|passed|spotted|noticed] <sight>",
    "weep": """
        [{hero} felt <sad>.|{hero} began to cry.|A tear ran down {hero}'s [cheek|nose].|
        {hero} [sat down|stood still] and sighed.|{hero}'s lip [shook|trembled].|"<oh>!" <sobbed> {hero} <sadly>.]""",
    "thanks": """
        ["Thank you," <spoke> {hero} <warmly>.|"You are a [good|true|dear|real] friend," <spoke> {hero} <warmly>.|
        {hero} hugged {friend} [for a long time|tightly|twice].|{hero} gave {friend} <treasure>.|
        {hero} danced around {friend} [once|<number> times].]""",
    "together": """
        [After that, the two [played until tea|sang all the way home|were friends for ever].|
        {hero} and {friend} walked home [slowly|hand in hand|under the first stars|singing|in the soft light].|
        From that day on, they [met every day|were never far apart|shared all their secrets|played together].|
        Then they both had <drink> and <baked>.|<sleep>]""",
    "sleep": """
        [That night {hero} dreamed of <creature> in <worn>.|
        {hero} was <glad> all the way to bed.|
        At bedtime {hero} told it all to [the moon|<creature>|a toy <beast>].|
        {hero} fell asleep with <treasure> under {hero.his} pillow.|
        And {hero} was <glad> for a [day|week|month|year].|
        It had been a [good|long|fine|lovely|strange] day, {hero} thought.]""",
}
