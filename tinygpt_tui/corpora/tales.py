"""The words and rules of the shipped corpus *tales*: very short stories for very small models.

Each plot is one story shape, and draws its people, places and things once, so that the kite that was lost is the kite
that is found. The notation is explained in `synthetic.Notation`. Words after "a" start with a consonant, all of them.
"""

from tinygpt_tui.corpora.synthetic import Choice, Grammar, Let, Node, Notation, slots_of, write_tales

SEED = 1
SIZE = 1_050_000  # characters

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

_notation = Notation(RULES)
_table = _notation.table
GIRLS = "girl ; she ; her ; her"
BOYS = "boy ; he ; him ; his"


def _people(names: str, cells: str) -> str:
    """A row for each of these names."""
    return "".join(f"{name} ; {cells}\n" for name in names.split())


TABLES = {
    "hero": _table(
        "word kind he him his",
        _people("Mia Rose Nell Ada Ivy Lucy Wren Clara Dot Hazel Poppy Tess Maud June", GIRLS)
        + _people("Tom Ben Leo Max Finn Sam Hugo Otto Jack Ned Theo Will Arlo Gus", BOYS),
    ),
    "friend": _table(
        "word kind he him his",
        _people("Anna Bea Kate Lily Molly Nora Ruby Sara Zoe Elsie", GIRLS)
        + _people("Bill Dan Eddie Felix Harry Joe Kit Luke Peter Toby", BOYS),
    ),
    "elder": _table(
        "word he him his",
        """
        Mum ; she ; her ; her
        Grandma ; she ; her ; her
        Aunt May ; she ; her ; her
        Aunt Flora ; she ; her ; her
        Dad ; he ; him ; his
        Grandpa ; he ; him ; his
        Uncle Bob ; he ; him ; his
        Uncle Fred ; he ; him ; his
        """,
    ),
    "colour": _table("word", COLOURS.replace("|", "\n")),
    "age": _table("word", "four\nfive\nsix\nseven\neight\nnine"),
    "sky": _table(
        "word line",
        """
        sunny ; [The sun was warm on the grass|The sky was blue from end to end|Every leaf was shining]
        windy ; [The trees were bending and bowing|Leaves flew about like birds|The wind pulled at every hat]
        cloudy ; [Soft clouds sailed by|The sky looked like wool|A big cloud sat on the hill]
        misty ; [The trees looked like ghosts|The mist lay low and white|Every web had drops on it]
        frosty ; [The grass was stiff and white|Every puddle had a lid of ice|All the noses were red]
        bright ; [The birds were singing|Bees hummed in the hedges|The air smelled of hay]
        cool ; [The air smelled of leaves|Smoke rose from every chimney|It was a day for scarves]
        spring ; [There was blossom on every tree|The lambs were jumping|The first bees were out]
        """,
    ),
    "place": _table(
        "word at seek hide",
        """
        pond ; by ; [among the reeds|under the jetty|behind the willow] ; [on a lily leaf|in a rowing boat|under a duck]
        wood ; in ; [behind the oak|among the ferns|under the leaves] ; [in a hollow log|on some moss|between two roots]
        beach ; on ; [under the pier|among the rocks|behind the huts] ; [beside a crab|in a pool|under some seaweed]
        park ; in ; [under the bench|behind the slide|by the swings] ; [in the rose bed|by the fountain|on a statue]
        meadow ; in ; [by the gate|along the ditch|behind the hay] ; [among the daisies|beside a cow|under a thistle]
        farm ; on ; [behind the barn|under the cart|in the stable] ; [in a hen's nest|in the trough|on a bale of straw]
        orchard ; in ; [under the ladder|along the wall|in the shed] ; [up in a pear tree|in the long grass|in a basket]
        river ; by ; [on the bridge|under the bridge|along the bank] ; [on a flat stone|at the ferry|in a swan's nest]
        market ; at ; [under the stalls|by the well|by the clock] ; [among the cabbages|in a crate|on the cheese stall]
        """,
    ),
    "toy": _table(
        "word use",
        """
        ball ; rolled it, threw it and caught it
        doll ; combed its hair
        teddy bear ; gave it tea
        toy boat ; called it the queen of the sea
        whistle ; blew it as loud as a train
        scarf ; wore it like a king
        drum ; beat it from morning to night
        hat ; wore it even in bed
        lantern ; lit it every evening
        flute ; played it to the birds
        marble ; held it up to the light
        spinning top ; made it dance on the floor
        toy train ; drove it round the table
        puppet ; made it talk in a funny voice
        flag ; waved it from the window
        tin robot ; wound it up each morning
        """,
    ),
    "animal": _table(
        "word sound go food home",
        """
        hedgehog ; sniffed ; trotted ; a slice of pear ; a pile of leaves
        rabbit ; twitched its nose ; hopped ; a carrot ; a hole in the bank
        squirrel ; chattered ; bounced ; a nut ; a nest in the pine
        kitten ; mewed ; crept ; a saucer of milk ; a basket in the barn
        puppy ; barked ; raced ; a crust of pie ; a yard full of puppies
        duckling ; peeped ; waddled ; some soft bread ; a nest in the reeds
        robin ; chirped ; fluttered ; a few crumbs ; a holly bush
        lamb ; bleated ; skipped ; a handful of clover ; the green hill
        donkey ; brayed ; plodded ; a thistle ; the far field
        turtle ; blinked ; crawled ; a leaf of lettuce ; the warm stones
        mouse ; squeaked ; scurried ; a bit of cheese ; a gap in the wall
        baby owl ; hooted ; flapped ; a sip of water ; the church tower
        """,
    ),
    "fear": _table(
        "word sign truth",
        """
        the dark ; something tall stood in the corner ; a coat on a hook
        night noises ; something went tap, tap, tap at the window ; a branch of the plum tree
        the cellar ; something rattled behind the jars ; a mouse with a nutshell
        the attic ; two round eyes shone under the roof ; an old rocking horse
        shadows ; a long grey hand moved on the wall ; the shadow of a fern
        ghosts ; something white danced in the garden ; a shirt on the line
        monsters ; something snored under the bed ; the neighbour's fat cat
        """,
    ),
    "mishap": _table(
        "word broke mend",
        """
        jug ; knocked it off the shelf ; glued it piece by piece
        vase ; cracked it with one elbow ; painted a flower over the crack
        clock ; let it fall, and it stopped ; put back each little wheel
        teapot ; dropped it, and the lid broke ; made a new lid out of clay
        kite ; flew it into a thorn bush ; patched it with paper and paste
        lamp ; knocked it over ; fixed it with a nail and some string
        map ; spilled ink all over it ; drew it again in their best hand
        parasol ; sat on it ; bent it back over one knee
        """,
    ),
    "work": _table(
        "word fail use",
        """
        raft ; it sank with a gurgle ; sailed it across the duck pond
        den ; the roof slid off ; ate their lunch inside it
        cart ; a wheel rolled away ; rode down the lane in it
        tower ; it tipped over with a crash ; saw the sea from the top
        bird house ; the floor dropped out ; watched two finches move in
        swing ; the rope came undone ; took turns until the stars came out
        bridge ; it fell into the stream ; crossed it like two kings
        toy castle ; the walls fell down ; made a beetle its king
        """,
    ),
    "skill": _table(
        "word slip win",
        """
        swim ; swallowed half the pond ; swam all the way to the other side
        whistle ; only blew bubbles ; whistled a whole tune
        ride a bicycle ; rode into a hedge ; rode right round the green
        skate ; sat down with a bump ; made a perfect circle
        juggle ; dropped a plum on the dog ; kept three plums in the air
        tie a bow ; tied both thumbs together ; tied a bow with two neat ears
        bake bread ; made a loaf as hard as a brick ; made a loaf as light as a cloud
        fish ; caught an old boot ; caught a silver trout and let it go
        play the fiddle ; made the cat run away ; made the neighbours dance
        """,
    ),
    "seeds": _table(
        "word grown",
        """
        beans ; climbed right up to the roof
        sunflowers ; were taller than the door
        pumpkins ; were as big as footstools
        peas ; hung in fat green rows
        roses ; smelled of honey
        tulips ; stood like a row of soldiers
        strawberries ; were sweet and red
        radishes ; were as round as marbles
        """,
    ),
}

PLOTS = (
    """
    {hero} and the lost {toy}

    <once> [Best of all was|{hero.He} also had] a {colour} {toy}. {hero} {toy.use}.

    <day>, {hero} took it to the {place}, where {hero.he} <sights>. [But then|But soon|But at noon] the {toy} was
    gone! <weep>

    "[What is wrong|What is the matter|Why so sad]?" asked {friend} <warmly>. "[I lost|I can't find|I dropped] my
    {toy}," said {hero}. They looked {place.seek} and found <treasure>, but no {toy}. They asked <creature> and a
    <person>.

    "<hooray>!" cried {friend}. [There it was|There lay the {toy}], {place.hide}, next to <creature>. <thanks>
    <together>
    """,
    """
    {hero} shares with {friend}

    <once>

    <day>, {hero} met {friend} {place.at} the {place}. {hero} had <baked>, <fruit> and <drink>. {friend} had
    [nothing|only a crust|only a cold potato|one small nut]. "[I left my lunch at home|<some_creature> ate my
    lunch|My lunch fell in the mud]," <sobbed> {friend} <sadly>.

    {hero} [thought for a moment|counted to <number>|looked at <creature>]. "[Half of it is yours|Sit by me|We can
    share|There is plenty for two]," {hero.he} said <warmly>. The crumbs went to <creature>. "[It tastes better|It
    is nicer] with two!" said {friend}.

    The next day {friend} brought <treasure> and a {colour} {toy}. "[This is for you|We can share this too]," said
    {friend} <warmly>. {hero} {toy.use}. <together>
    """,
    """
    {hero} and {fear}

    <once> {hero} was not afraid of [mice|spiders|thunder|bulls|deep water|the sea|bees|wolves]. But {hero} was
    afraid of {fear}.

    One <still> [night|evening], {fear.sign}. {hero} hid under <cloth>. "[Is it a ghost|Is it a thief|Is it
    <creature>]?" {hero.he} [thought|whispered|wondered]. Then {elder} came, in <worn>, with a
    [candle|lamp|torch|lantern]. "[We will look together|Let us go and see|Be brave, and look]," <spoke> {elder}
    <warmly>.

    They took <number> small steps. And what was it? It was only {fear.truth}! {hero} [laughed|had to
    smile|giggled]. "It looked like <creature> with <treasure>," {hero.he} said. Then they had <drink> and <baked>.

    [After that|From then on], {hero} was [not so afraid of|less afraid of|much braver about] {fear}. <sleep>
    """,
    """
    {hero} says sorry

    <once> {elder} had a [fine|lovely|beautiful|famous] {colour} {mishap} with <treasure> painted on it.

    <day>, {hero} was [dancing|playing|singing|hopping] like <creature>. {hero.He} went too near the {mishap}, and
    {mishap.broke}. "<oh>!" <sobbed> {hero} <sadly>.

    {hero} hid [under|behind] <cloth>. [{hero.His} tummy hurt|{hero.He} felt <sad>]. Even <baked> did not taste
    good. At last {hero.he} went to {elder}. "[I did it|It was me|I spoiled your {mishap}]," <sobbed> {hero}
    <sadly>. "I am sorry."

    {elder} counted to <number>. Then {elder.he} [smiled|nodded|laughed]. "[Thank you for telling me|It was brave
    to say so|I once did the same]," {elder.he} said <warmly>. They {mishap.mend}, and had <fruit>. <sleep>
    """,
    """
    {hero} builds a {work}

    <once>

    <day>, {hero} and {friend} [wanted|decided|hoped] to build a {work}. They found <stuff>, <bits>, <cloth> and
    <treasure>. {hero} [hammered|sawed|measured|counted] and {friend} [painted|sang|dug|gave orders].
    <some_creature> [watched|got in the way|helped a little].

    But when the {work} was [ready|nearly done], {work.fail}! <weep> "[Let us try again|One more time|We can do
    better]," <spoke> {friend} <warmly>. {elder} came with <drink> and <baked>. This time they used <stuff> and
    worked [slowly|until tea|with care|all afternoon].

    And the {work} [held|was perfect|was strong]! They painted it <colour> and {work.use}. <thanks> <sleep>
    """,
    """
    {hero} goes to see {elder}

    <once>

    <day>, {hero} and {friend} set off to see {elder}, with <fruit>, <baked> and <treasure> in a {colour} basket.
    {sky.line}. They <sights>, <sight> and <sight>.

    At the {place} the path [split in two|came to an end|was gone]. "[We are lost|I think we are lost|Now we are in
    trouble|It is too far]," <sobbed> {friend} <sadly>. A <mood> {animal} sat there and {animal.sound}. {hero} gave
    it {animal.food}. Then it {animal.go} ahead, and they followed.

    Soon they saw {elder}'s [house|chimney|gate|lamp]. "[There you are|You found me|Come in]!" <spoke> {elder}
    <warmly>. They had <drink>, and told {elder.him} about [the {animal}|the path|it all]. <sleep>
    """,
    """
    {hero} and the {animal}

    <once>

    <day>, {hero} was {place.at} the {place}. {sky.line}. There {hero.he} <sights>. Then {hero.he} heard a small
    sound {place.seek}.

    It was a <mood> {animal}! It {animal.sound} and looked <sad>. "[Are you lost|Are you hungry|Where is your
    mother|Are you cold]?" asked {hero} <warmly>, and gave it {animal.food}. {hero} wrapped it in {hero.his}
    {colour} [scarf|shirt|coat|sock] and took it home. {hero.He} called it <pet>.

    {elder} made it a bed of <cloth>. For <number> days {hero} [sang to it|read to it|sat with it]. Then {hero.he}
    took it back to {animal.home}. It {animal.go} away. {hero} felt <glad> and a bit <sad>. [Every <number>
    days|Sometimes] it came to visit, with [<creature>|<treasure>].
    """,
    """
    {hero} and the rain

    <once>

    {hero} and {friend} wanted to go to the {place} on [Saturday|Sunday] and [fly kites|have a picnic|play
    pirates|look for <creature>|find <treasure>]. But [it rained and rained|rain ran down the window|the sky was
    black]. Even <creature> looked wet. <weep>

    Then {friend} came in <worn> and a {colour} [coat|hat|cape|scarf]. "[We can play inside|I have an idea|Who
    needs the sun]!" <spoke> {friend} <warmly>. They made a [ship|house|cave|train] from <stuff> and <cloth>.
    {hero} was a [captain|king|cook|pirate] and {friend} was <creature> with <treasure>. They ate <fruit> and
    <baked>.

    When the rain stopped, they [did not even notice|jumped in <number> puddles|saw a rainbow]. "[That was better
    than the {place}|I hope it rains again|What a good day]," <spoke> {hero} <warmly>. <sleep>
    """,
    """
    {hero}'s birthday

    <once> Today {hero} was {age}! {hero.He} had [just|only] one wish: a {colour} {toy}.

    But [nobody said a word|everyone was busy]. {elder} was [baking|reading|sweeping|out]. {friend} was looking for
    <creature>. {hero} went to the {place} and <sights>. "They forgot," {hero.he} told <creature> <sadly>.

    When {hero} came home, the house was [dark|quiet|still]. {hero.He} opened the door. "[Surprise|Happy
    birthday]!" cried {elder} and {friend}. There were {age} candles, <treasure>, <fruit>, <drink> and <baked>.

    {friend} gave {hero} a [round|big|soft|tiny] <colour> box. In it was a {colour} {toy}! {hero} {toy.use}.
    <thanks> <sleep>
    """,
    """
    {hero} plants {seeds}

    <once>

    One [sunny|windy|cloudy|misty|bright|cool|warm|fine] spring [morning|day|Monday|Tuesday|Friday|Sunday], {elder}
    was in the garden in <worn>. "[My back hurts|I am so tired|There is too much to do]," said {elder} <sadly>. "[I
    can help|Let me help]!" said {hero} <warmly>. They dug up <treasure>, and planted {seeds} in <number> rows.

    "[When will they grow|Are they ready now]?" asked {hero}. "[Wait|Give them time]," <spoke> {elder} <warmly>.
    {hero} [watered them|sang to them|told them stories] for <number> days. <some_creature> came to look. But
    nothing grew! <weep>

    But after <number> weeks there was a tiny green [tip|leaf|nose]. "<hooray>!" cried {hero}. By summer the
    {seeds} {seeds.grown}. {hero} took some to {friend} in a {colour} [pot|basket|hat|bucket], and some to
    <creature>. <sleep>
    """,
    """
    {hero} learns to {skill}

    <once> {friend} could {skill}. {hero} could not.

    "[Teach me|Show me how|Please help me]," said {hero}. "[Watch|It is easy|First, be calm]," <spoke> {friend}
    <warmly>. On [Monday|Tuesday] {hero} tried, and {skill.slip}. <some_creature> laughed. On [Wednesday|Thursday]
    {hero} did [no better|a bit better|even worse]. <weep>

    "[I give up|It is too hard]," <sobbed> {hero} <sadly>. "[You are nearly there|I fell <number> times too|Try
    once more]," <spoke> {friend} <warmly>, and gave {hero} <fruit>, <baked> and a {colour} [scarf|hat|ribbon] for
    luck. {hero} [took <number> deep breaths|thought of <creature>|put on <worn>].

    And on [Friday|Saturday|Sunday] {hero} {skill.win}! "<hooray>!" cried {friend} and <creature>. <thanks>
    <together>
    """,
    """
    {hero} and {friend} fall out

    <once> {hero.His} best friend was {friend}.

    <day>, {place.at} the {place}, they <sights>. Then they found a {colour} {toy} {place.hide}. "[I saw it
    first|It is mine|Give it to me]!" said {hero}. "[No, it is mine|Let go|Never|I won't]!" said {friend}. They
    pulled and pulled, like <creature> and <creature>. {friend} went home <sad>.

    {hero} kept the {toy}, but it was no fun alone. {hero} thought for <number> [hours|days]. Then {hero.he} went
    to {friend} with <baked> and <treasure>. "I am sorry," <sobbed> {hero} <sadly>. "[You can have it|Let us take
    turns]." "I am sorry too," said {friend} <warmly>.

    So {friend} had it on [Mondays|Tuesdays|Sundays] and {hero} had it on [Fridays|Saturdays]. {hero} {toy.use},
    and so did {friend}. <together>
    """,
    """
    {hero} cannot sleep

    <once>

    One <still> night {hero} could not sleep. {hero.He} counted <treasure>. {hero.He} hummed like <creature>.
    {hero.He} put on <worn>. It did not help.

    {hero} went to the window. The moon was [round|thin|golden|low]. There {hero.he} saw [<landmark>|<creature>],
    and on the wall a <mood> {animal}. It {animal.sound}. "[Can't you sleep|Are you awake too|Is it your bedtime]?"
    asked {hero} <warmly>, and gave it {animal.food}.

    {elder} came with <drink> and a {colour} [blanket|pillow|shawl]. "Once upon a time," <spoke> {elder} <warmly>,
    "<creature> met a <person> with <treasure>..." {hero} [yawned|smiled|shut {hero.his} eyes]. After <number>
    words {hero.he} was asleep. And the {animal}? It {animal.go} home to {animal.home} and slept too.
    """,
    """
    {hero} goes to market

    <once>

    <day>, {elder} gave {hero} <number> coins. "Buy <fruit> and <baked>," <spoke> {elder} <warmly>. {sky.line}.
    {hero} <sights> and <sight>. Then {hero.he} saw a {colour} {toy}. {hero.He} wanted it [very much|so much|more
    than cake].

    But by the [well|gate|bridge] sat {friend} in <worn>, who looked <sad>. "[I lost my coins|There is a hole in my
    pocket|<some_creature> took my coins]," <sobbed> {friend} <sadly>. {hero} looked at the {toy}. Then {hero.he}
    gave {friend} [a coin|half of the coins]. "[You are kind|How good you are], {hero}!" said {friend}.

    At home {hero} told {elder} [everything|the whole story]. {elder} only smiled. But on [Sunday|Sunday morning],
    on the [table|chair|doorstep], next to <treasure>, there was a {colour} {toy}! <sleep>
    """,
)


def _plot(text: str) -> Node:
    """The plot as a node, with a `Let` around it for each slot that it speaks of."""
    node = _notation.node(text)
    for slot in reversed(TABLES):
        if slot in slots_of(node):
            node = Let(slot, TABLES[slot], node)
    return node


TALES = Grammar(Choice(tuple(_plot(text) for text in PLOTS)))


def tales(seed: int = SEED, size: int = SIZE) -> str:
    """The corpus: whole tales, a blank line between them, until there are at least `size` characters."""
    return write_tales(TALES, seed, size)
