//! Parses the item that `#[job]` annotates.
//!
//! Only the signature of a function is parsed; its body is kept as tokens, so that an editor can
//! complete code that does not parse yet.

use proc_macro2::{Ident, TokenStream};
use syn::{
    Attribute, Error, Fields, FnArg, Generics, ItemStruct, LitStr, Meta, PatType, Result,
    ReturnType, Safety, Signature, Token, Type, Visibility,
    parse::{Parse, ParseStream, discouraged::Speculative},
    spanned::Spanned,
};

use crate::value::text;

/// The parts of the item that the macro needs.
pub(crate) struct Item {
    /// The first paragraph of its doc comment.
    pub(crate) description: Option<String>,
    /// `cfg` attributes, which also apply to the generated code.
    pub(crate) cfgs: Vec<Attribute>,
    /// Its name.
    pub(crate) ident: Ident,
    /// Its kind.
    pub(crate) shape: Shape,
}

/// The kind of the item.
pub(crate) enum Shape {
    /// A struct, which implements `JobHandler` itself.
    Struct {
        /// Whether it has fields.
        stateful: bool,
        /// Its type parameters, if it has any.
        generics: Box<Generics>,
    },
    /// An `async fn`.
    Fn(Box<Call>),
}

/// How to call a function.
pub(crate) struct Call {
    /// The type of the context argument, if it takes one.
    pub(crate) context: Option<Type>,
    /// The type of the param, if it takes one.
    pub(crate) param: Option<Type>,
    /// The return type, if it is not `()`.
    pub(crate) output: Option<Type>,
}

impl Parse for Item {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let start = input.fork();
        let attrs = input.call(Attribute::parse_outer)?;
        input.parse::<Visibility>()?;
        let (ident, shape) = if input.peek(Token![struct]) {
            input.advance_to(&start);
            let item: ItemStruct = input.parse()?;
            let stateful = match &item.fields {
                Fields::Unit => false,
                Fields::Named(fields) => !fields.named.is_empty(),
                Fields::Unnamed(fields) => !fields.unnamed.is_empty(),
            };
            (item.ident, Shape::Struct { stateful, generics: Box::new(item.generics) })
        } else if input.fork().parse::<Signature>().is_ok() {
            let signature: Signature = input.parse()?;
            input.parse::<TokenStream>()?; // the body
            (signature.ident.clone(), Shape::Fn(Box::new(Call::of(&signature)?)))
        } else {
            return Err(input.error("#[job] must be on a struct or an async fn"));
        };
        let cfgs = attrs.iter().filter(|attr| attr.path().is_ident("cfg")).cloned().collect();
        Ok(Self { description: first_paragraph(&attrs), cfgs, ident, shape })
    }
}

impl Call {
    fn of(signature: &Signature) -> Result<Self> {
        if let Some(receiver) = signature.receiver() {
            return Err(Error::new_spanned(
                receiver,
                "#[job] must be on a free function; for a job with state, use a struct",
            ));
        }
        if signature.asyncness.is_none() {
            return Err(Error::new_spanned(signature.fn_token, "a job must be an `async fn`"));
        }
        if let Safety::Unsafe(token) = &signature.safety {
            return Err(Error::new_spanned(token, "a job cannot be unsafe"));
        }
        if !signature.generics.params.is_empty() {
            return Err(Error::new_spanned(&signature.generics, "a job cannot have generics"));
        }
        let mut inputs = signature.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(typed) => Some(typed),
            FnArg::Receiver(_) => None,
        });
        let context = inputs.next().map(context).transpose()?;
        let param = inputs.next().map(param).transpose()?;
        if let Some(third) = inputs.next() {
            return Err(Error::new_spanned(third, "a job takes at most the context and one param"));
        }
        let output = match &signature.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => Some((**ty).clone()).filter(|ty| !is_unit(ty)),
        };
        Ok(Self { context, param, output })
    }
}

/// The type of the first argument, which is the context.
fn context(arg: &PatType) -> Result<Type> {
    if let Type::Reference(reference) = &*arg.ty
        && let (None, Type::Path(path)) = (reference.mutability, &*reference.elem)
        && path.path.segments.last().is_some_and(|last| last.ident == "JobContext")
    {
        return Ok((*arg.ty).clone());
    }
    const WRONG: &str =
        "the first argument of a job must be `ctx: &JobContext`; the param is the second";
    Err(Error::new_spanned(&arg.ty, WRONG))
}

/// The type of the second argument, which the task's param is parsed into.
fn param(arg: &PatType) -> Result<Type> {
    let problem = if matches!(&*arg.ty, Type::Reference(_)) {
        "the param must be an owned type: use `String` instead of `&str`"
    } else if matches!(&*arg.ty, Type::ImplTrait(_)) {
        "the param must have a concrete type"
    } else {
        return Ok((*arg.ty).clone());
    };
    Err(Error::new_spanned(&arg.ty, problem))
}

fn is_unit(ty: &Type) -> bool {
    matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty())
}

/// The first paragraph of a doc comment, on one line.
fn first_paragraph(attrs: &[Attribute]) -> Option<String> {
    let texts = attrs.iter().filter_map(|attr| {
        let Meta::NameValue(meta) = &attr.meta else { return None };
        meta.path.is_ident("doc").then(|| text(&meta.value)).flatten().map(LitStr::value)
    });
    let doc = texts.collect::<Vec<_>>().join("\n");
    let lines = doc.lines().map(|line| line.trim().trim_start_matches("* ").trim());
    let paragraph = lines.skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty());
    let paragraph = paragraph.collect::<Vec<_>>().join(" ");
    Some(paragraph).filter(|paragraph| !paragraph.is_empty())
}

/// The span of a type, or of the function's name if there is no type.
pub(crate) fn span_of(ty: Option<&Type>, ident: &Ident) -> proc_macro2::Span {
    // Located there, but resolved at the macro's site, so that lints ignore the generated code.
    let at = ty.map_or_else(|| ident.span(), Spanned::span);
    proc_macro2::Span::mixed_site().located_at(at)
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn the_description_is_the_first_paragraph_on_one_line() {
        let item: Item = parse_quote! {
            ///
            /// Says hello
            ///   to everyone.
            ///
            /// And more.
            #[doc(hidden)]
            struct Hello;
        };
        assert_eq!(item.description.as_deref(), Some("Says hello to everyone."));
        let item: Item = parse_quote!(
            pub(crate) struct Hello {}
        );
        assert_eq!(item.description, None);
    }

    #[test]
    fn the_body_of_a_function_need_not_parse() {
        let item: Item = parse_quote!(
            async fn hello(ctx: &JobContext) -> JobResult { ctx. }
        );
        assert!(
            matches!(item.shape, Shape::Fn(call) if call.param.is_none() && call.output.is_some())
        );
    }
}
